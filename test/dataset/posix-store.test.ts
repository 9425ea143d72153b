import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PosixStore } from "../../src/store/posix-store.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();

test("a folder is removed although another process still puts files there", async () => {
  const folder = at("busy");
  mkdirSync(folder);
  for (let k = 0; k < 500; k++) writeFileSync(join(folder, `${k}`), "");
  let puts = 0;
  const timer = setInterval(() => {
    try {
      if (++puts > 50) return clearInterval(timer);
      for (let k = 0; k < 20; k++)
        writeFileSync(join(folder, `late-${puts}-${k}`), "");
    } catch {
      // It has gone.
      clearInterval(timer);
    }
  });
  await new PosixStore(at("tmp")).remove(folder);
  clearInterval(timer);
  expect(puts).toBeGreaterThan(0);
  expect(existsSync(folder)).toBe(false);
});
