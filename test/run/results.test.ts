import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { EMIT_NAMES } from "../../src/results/catalogue.js";
import { built } from "../support/built.js";
import { expectSameValues } from "../support/first-difference.js";
import { inputs, writeInputs } from "../support/inputs-input.js";
import { setKernel } from "../support/kernels.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { inMemory, read, readerOf, rowsOf } from "../support/plain-rows.js";

const at = workDirectory();
afterEach(() => setKernel("simd"));
const COLUMNS = {
  column: "logits",
  classColumn: "k",
  label: "y",
  cotangent: "g",
  tangent: "v",
  covariance: "s",
};

describe.each([
  { name: "many rows, batches of 100", rows: 1000, classes: 9, batchRows: 100 },
  { name: "blocks in tiles", rows: 3, classes: 450, batchRows: 2 },
])("$name", ({ rows, classes, batchRows }) => {
  const all = inputs(rows, classes);
  const input = at(`in-${classes}.arrow`);
  writeInputs(input, all, batchRows);

  test("files and in-memory functions give the same results", async () => {
    const output = at(`all-${classes}.arrow`);
    let first: Buffer | null = null;
    for (const { kernel = "simd", ...way } of [
      { threads: 1 },
      { threads: 2, chunkRows: 77 },
      { threads: 2, kernel: "plain" as const },
    ]) {
      setKernel(kernel);
      await built.run({
        ...way,
        ...COLUMNS,
        input,
        output,
        emit: EMIT_NAMES,
        temperature: 0.8,
        force: true,
      });
      const bytes = readFileSync(output);
      first ??= bytes;
      expect(bytes.equals(first)).toBe(true);
    }
    const column = readerOf(output);
    const expected = inMemory(all, EMIT_NAMES, 0.8);
    for (const name of EMIT_NAMES)
      expectSameValues(
        column(name),
        rowsOf(expected[name] as Float64Array, rows),
        name,
      );
  }, 120_000);

  test("packed is the upper triangle of the block in triu order", async () => {
    const output = at(`packed-${classes}.arrow`);
    await built.run({
      input,
      output,
      column: "logits",
      layout: "packed",
      emit: ["jacobian"],
    });
    const { jacobian } = inMemory(all, ["jacobian"]);
    const expected = rowsOf(jacobian as Float64Array, rows).map((block) =>
      (block as number[]).filter(
        (_, n) => n % classes >= Math.floor(n / classes),
      ),
    );
    expectSameValues(read(output, "jacobian"), expected);
  });

  test("factored is softmax, argmax and the tail in float64 for any dtype", async () => {
    const output = at(`factored-${classes}.arrow`);
    await built.run({
      input,
      output,
      column: "logits",
      layout: "factored",
      dtype: "float32",
    });
    const { softmax, argmax, tail } = inMemory(all, [
      "softmax",
      "argmax",
      "tail",
    ]);
    expect(read(output, "softmax")).toEqual(
      rowsOf(Float32Array.from(softmax as Float64Array), rows),
    );
    expect(read(output, "argmax")).toEqual(rowsOf(argmax as Int32Array, rows));
    expect(read(output, "tail")).toEqual(rowsOf(tail as Float64Array, rows));
  });
});

test("dense is the notebook's (M, Q, M, Q), zero outside its diagonal blocks", async () => {
  const rows = 40;
  const classes = 3;
  const all = inputs(rows, classes);
  const input = at("dense-in.arrow");
  writeInputs(input, all, 7);
  const output = at("dense.arrow");
  await built.run({
    input,
    output,
    column: "logits",
    layout: "dense",
    emit: ["jacobian"],
    chunkRows: 11,
  });
  const { jacobian } = inMemory(all, ["jacobian"]);
  const expected = Array.from({ length: rows }, (_, p) => {
    const slab = Array(classes * rows * classes).fill(0);
    for (let i = 0; i < classes; i++)
      for (let j = 0; j < classes; j++)
        slab[(i * rows + p) * classes + j] =
          jacobian?.[(p * classes + i) * classes + j];
    return slab;
  });
  expectSameValues(read(output, "jacobian"), expected);
});

test("a dense tensor over 1 GiB is rejected with its size unless --force-dense is given", async () => {
  const input = at("big.arrow");
  writeLogits(input, { rows: 4000, classes: 3, logit: (r, k) => r - k });
  const options = {
    input,
    output: at("big-out.arrow"),
    layout: "dense" as const,
    emit: ["jacobian" as const],
  };
  await expect(built.dryRun(options)).rejects.toThrow(
    "found 4000 x 3 x 4000 x 3: 1152000000 bytes; use another layout, which stores only the diagonal blocks, or --force-dense",
  );
  const { outputBytes } = await built.dryRun({ ...options, forceDense: true });
  expect(outputBytes).toBeGreaterThan(1152000000);
});
