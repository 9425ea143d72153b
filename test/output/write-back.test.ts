import fs, { closeSync, openSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { expect, test } from "vitest";
import { WriteBack } from "../../src/output/temporary-file.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const STEP = 16 * 2 ** 20;

test("what the disk reports of earlier bytes is told when the run ends, and when it writes on", async () => {
  // no file that could be synced
  const fd = openSync("/dev/null", "r+");
  const writeBack = new WriteBack(fd);
  writeBack.reportWritten(STEP - 1);
  await writeBack.finished();
  writeBack.reportWritten(1);
  await expect(writeBack.finished()).rejects.toMatchObject({ code: "EINVAL" });
  expect(() => writeBack.reportWritten(1)).toThrow("EINVAL");
  closeSync(fd);
});

test("a file is synced while it is written, once for many bytes", async () => {
  const fd = openSync(at("file"), "w");
  const { fdatasync } = fs;
  const synced: number[] = [];
  fs.fdatasync = Object.assign(
    (file: number, done: fs.NoParamCallback) => {
      synced.push(file);
      fdatasync(file, done);
    },
    { __promisify__: fdatasync.__promisify__ },
  );
  syncBuiltinESMExports();
  try {
    const writeBack = new WriteBack(fd);
    writeBack.reportWritten(STEP - 1);
    await writeBack.finished();
    expect(synced).toEqual([]);
    for (let n = 0; n < 5; n++) writeBack.reportWritten(STEP);
    await writeBack.finished();
    expect(synced.length).toBeGreaterThan(0);
    expect(synced.every((file) => file === fd)).toBe(true);
  } finally {
    fs.fdatasync = fdatasync;
    syncBuiltinESMExports();
    closeSync(fd);
  }
});
