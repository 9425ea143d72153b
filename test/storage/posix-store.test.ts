import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { expect, test } from "vitest";
import { PosixStore } from "../../src/storage/posix-store.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();

test("a directory is removed although another process still writes into it", async () => {
  const folder = at("busy");
  const write = (name: string) => fs.writeFileSync(`${folder}/${name}`, "");
  fs.mkdirSync(folder);
  for (let k = 0; k < 500; k++) write(`${k}`);
  let puts = 0;
  const timer = setInterval(() => {
    if (++puts > 50 || !fs.existsSync(folder)) return clearInterval(timer);
    for (let k = 0; k < 20; k++) write(`late-${puts}-${k}`);
  });
  await new PosixStore(at("tmp")).remove(folder);
  clearInterval(timer);
  expect(puts).toBeGreaterThan(0);
  expect(fs.existsSync(folder)).toBe(false);
});

test("without hard links, a name that exists is not replaced", async () => {
  fs.mkdirSync(at("unlinked"));
  const [file, name] = [at("unlinked/file"), at("unlinked/name")];
  fs.writeFileSync(file, "second");
  fs.writeFileSync(name, "first");
  const { link } = promises;
  const failure = Object.assign(new Error("EPERM"), { code: "EPERM" });
  Object.assign(promises, { link: () => Promise.reject(failure) });
  syncBuiltinESMExports();
  try {
    const store = new PosixStore(at("unlinked"));
    expect(await store.putIfAbsent(name, file)).toBe(false);
    expect(fs.readFileSync(name, "utf8")).toBe("first");
    expect(await store.putIfAbsent(at("unlinked/other"), file)).toBe(true);
  } finally {
    Object.assign(promises, { link });
    syncBuiltinESMExports();
  }
});
