import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PosixStore } from "../../src/storage/posix-store.js";
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

test("where there are no hard links, a name that is taken is not replaced", async () => {
  const folder = at("unlinked");
  mkdirSync(folder);
  const [file, name] = [join(folder, "file"), join(folder, "name")];
  writeFileSync(file, "second");
  writeFileSync(name, "first");
  const { link } = promises;
  Object.assign(promises, {
    link: async () => {
      throw Object.assign(new Error("EPERM"), { code: "EPERM" });
    },
  });
  syncBuiltinESMExports();
  try {
    const store = new PosixStore(folder);
    expect(await store.putIfAbsent(name, file)).toBe(false);
    expect(readFileSync(name, "utf8")).toBe("first");
    expect(await store.putIfAbsent(join(folder, "other"), file)).toBe(true);
  } finally {
    Object.assign(promises, { link });
    syncBuiltinESMExports();
  }
});
