import { closeSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { WriteBack } from "../../src/output/write-back.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const STEP = 16 * 2 ** 20;

test("what the disk reports of earlier bytes is told when the run ends, and when it writes on", async () => {
  // no file that could be synced
  const fd = openSync("/dev/null", "r+");
  const writeBack = new WriteBack(fd);
  writeBack.wrote(STEP - 1);
  await writeBack.finished();
  writeBack.wrote(1);
  await expect(writeBack.finished()).rejects.toMatchObject({ code: "EINVAL" });
  expect(() => writeBack.wrote(1)).toThrow("EINVAL");
  closeSync(fd);
});

test("a file that can be synced has nothing to tell", async () => {
  const fd = openSync(at("file"), "w");
  const writeBack = new WriteBack(fd);
  for (let n = 0; n < 5; n++) writeBack.wrote(STEP);
  await writeBack.finished();
  closeSync(fd);
});
