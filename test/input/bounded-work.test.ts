import { readFileSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { safetensorsFile } from "../support/array-files.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { isLinux } from "../support/machine.js";
import { streamOf } from "../support/stream-of.js";

// Inputs of very many parts that hold next to nothing: what is read and written is bounded by their size.

const at = workDirectory();
const COUNT = 4000;
/** Rows of the Arrow inputs, each behind COUNT record batches without rows. */
const ROWS = 2;

const file = at("empty-batches.arrow");
writeLogits(file, {
  rows: ROWS,
  classes: 3,
  batchRows: [...new Array<number>(COUNT).fill(0), 1],
  logit: (row, k) => row + k,
});
const stream = at("empty-batches.arrows");
writeFileSync(stream, streamOf(file));
const tensors = at("empty-tensors.safetensors");
writeTensors();

/** Bytes that this process has read and written, and calls that read, since it began. */
function workDone(): { read: number; written: number; reads: number } {
  const text = readFileSync("/proc/self/io", "utf8");
  const [read, written, reads] = ["rchar", "wchar", "syscr"].map((name) =>
    Number(new RegExp(`${name}: (\\d+)`).exec(text)?.[1]),
  ) as [number, number, number];
  return { read, written, reads };
}

test.skipIf(!isLinux).each([
  ["an Arrow file of empty record batches", file, "logits", ROWS],
  ["an Arrow stream of empty record batches", stream, "logits", ROWS],
  ["a safetensors file of empty tensors", tensors, "o", 2],
])("%s", async (_, input, column, rows) => {
  const { size } = statSync(input);
  const output = at("out.arrow");
  // The first run reads modules, too.
  await built.run({ input: file, output, force: true });
  const before = workDone();
  const report = await built.run({ input, column, output, force: true });
  const after = workDone();
  expect(report.rowsDone).toBe(rows);
  expect(report.outputBytes).toBeLessThan(4096);
  expect(after.read - before.read).toBeLessThan(4 * size + 2 ** 20);
  expect(after.written - before.written).toBeLessThan(4 * size + 2 ** 20);
  expect(after.reads - before.reads).toBeLessThan(8 * COUNT * ROWS);
});

/** Writes COUNT tensors without values, and one of logits. */
function writeTensors(): void {
  const empty = { dtype: "F32", shape: [0, 3], data_offsets: [0, 0] };
  const header: Record<string, object> = {};
  for (let n = 0; n < COUNT; n++) header[`t${n}`] = empty;
  header.o = { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] };
  const values = Buffer.from(Float32Array.of(0, 1, 2, 3, 5, 8).buffer);
  writeFileSync(tensors, safetensorsFile(JSON.stringify(header), values));
}
