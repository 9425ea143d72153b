import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import {
  EMIT_NAMES,
  EMITS,
  type EmitName,
  type InputName,
} from "../../src/results/catalogue.js";
import { built } from "../support/built.js";
import { type Inputs, inputs, writeInputs } from "../support/inputs-input.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
const COLUMNS = {
  column: "logits",
  classColumn: "k",
  label: "y",
  cotangent: "g",
  tangent: "v",
  covariance: "s",
};

type Row = number | number[];
/** A column of results as plain rows. */
function read(path: string, name: string): (Row | null)[] {
  const column = flechette(readFileSync(path), { useBigInt: false }).getChild(
    name,
  );
  return [...column].map((value) =>
    value === null || typeof value === "number" ? value : [...value],
  );
}

/** The in-memory results as plain rows. */
function rowsOf(values: ArrayLike<number>, rows: number): Row[] {
  const n = values.length / rows;
  return Array.from({ length: rows }, (_, r) => {
    const row = Array.from(values).slice(r * n, (r + 1) * n);
    return n === 1 ? (row[0] as number) : row;
  });
}

function inMemory(all: Inputs, emit: readonly EmitName[], temperature = 1) {
  const used = new Set(
    emit.map((name) => (EMITS[name] as { input?: InputName }).input),
  );
  const { rows, classes, classColumn, ...others } = all;
  return built.softmaxResults(all.logits, {
    rows,
    classes,
    emit,
    temperature,
    ...(used.has("classColumn") && { class: classColumn }),
    ...Object.fromEntries(
      Object.entries(others).filter(([name]) => used.has(name as InputName)),
    ),
  });
}

describe.each([
  { name: "many rows, batches of 100", rows: 1000, classes: 9, batchRows: 100 },
  { name: "blocks in tiles", rows: 3, classes: 450, batchRows: 2 },
])("$name", ({ rows, classes, batchRows }) => {
  const all = inputs(rows, classes);
  const input = at(`in-${classes}.arrow`);
  writeInputs(input, all, batchRows);

  test("every result, from files and in memory, is the same", async () => {
    const output = at(`all-${classes}.arrow`);
    const hashes = new Set<string>();
    for (const way of [
      { threads: 1 },
      { threads: 2, chunkRows: 77 },
      { threads: 2, kernel: "plain" as const },
    ]) {
      await built.run({
        ...way,
        ...COLUMNS,
        input,
        output,
        emit: EMIT_NAMES,
        temperature: 0.8,
        force: true,
      });
      hashes.add(
        createHash("sha256").update(readFileSync(output)).digest("hex"),
      );
    }
    expect(hashes.size).toBe(1);
    const expected = inMemory(all, EMIT_NAMES, 0.8);
    for (const name of EMIT_NAMES)
      expect(read(output, name), name).toEqual(
        rowsOf(expected[name] as Float64Array, rows),
      );
  }, 120_000);

  test("packed is the upper triangle of the block, in triu order", async () => {
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
    expect(read(output, "jacobian")).toEqual(expected);
  });

  test("factored is softmax, argmax and the tail in float64, whatever the dtype", async () => {
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

test("dense is the notebook's (M, Q, M, Q), zero off its diagonal blocks", async () => {
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
  expect(read(output, "jacobian")).toEqual(expected);
});

test("a dense tensor over 1 GiB is refused, with its size; --force-dense plans it", () => {
  const input = at("big.arrow");
  writeLogits(input, { rows: 4000, classes: 3, logit: (r, k) => r - k });
  const options = {
    input,
    output: at("big-out.arrow"),
    layout: "dense" as const,
    emit: ["jacobian" as const],
  };
  expect(() => built.dryRun(options)).toThrow(
    "found 4000 x 3 x 4000 x 3: 1152000000 bytes (--force-dense",
  );
  const { outputBytes } = built.dryRun({ ...options, forceDense: true });
  expect(outputBytes).toBeGreaterThan(1152000000);
});

test("--class in place of a class column; a class that is not there", async () => {
  const all = inputs(20, 4);
  const input = at("class.arrow");
  writeInputs(input, all, 20);
  const output = at("class-out.arrow");
  const options = {
    input,
    output,
    column: "logits",
    emit: ["column" as const],
  };
  await built.run({ ...options, class: 3 });
  const J = rowsOf(inMemory(all, ["jacobian"]).jacobian as Float64Array, 20);
  expect(read(output, "column")).toEqual(
    J.map((block) => (block as number[]).filter((_, n) => n % 4 === 3)),
  );
  await expect(
    built.run({ ...options, class: 4, force: true }),
  ).rejects.toMatchObject({
    code: "ERR_USAGE",
    message: "class: expected a class from 0 to 3, found 4",
  });
});

test("a label out of range: named, or null", async () => {
  const all = inputs(200, 5);
  all.label[150] = 5;
  all.label[151] = -1;
  const input = at("labels.arrow");
  writeInputs(input, all, 64);
  const options = {
    input,
    output: at("labels-out.arrow"),
    column: "logits",
    label: "y",
    emit: ["gradient", "softmax", "cross_entropy"] as EmitName[],
  };
  await expect(built.run(options)).rejects.toMatchObject({
    code: "ERR_BAD_ROW",
    row: 150,
    message: expect.stringContaining(
      "row 150: expected a class from 0 to 4 in y, found 5 (--on-bad-row null",
    ),
  });
  const report = await built.run({ ...options, onBadRow: "null" });
  expect(report).toMatchObject({ badRows: 2, firstBadRow: 150 });
  for (const name of options.emit) {
    const column = read(options.output, name);
    column.forEach((value, r) => {
      expect(value === null).toBe(r === 150 || r === 151);
    });
  }
});

test("a cotangent that is not finite, of the wrong length, or not there", async () => {
  const all = inputs(30, 5);
  all.cotangent[7 * 5 + 2] = Number.NaN;
  const input = at("vjp.arrow");
  writeInputs(input, all, 30);
  const options = {
    input,
    output: at("vjp-out.arrow"),
    column: "logits",
    emit: ["vjp" as const],
  };
  await expect(built.run({ ...options, cotangent: "g" })).rejects.toThrow(
    "row 7: expected finite numbers in g, found NaN at 2",
  );
  await expect(built.run({ ...options, cotangent: "s" })).rejects.toThrow(
    "column s: expected 5 values in a row of 5 classes, found 15",
  );
  await expect(built.run({ ...options, cotangent: "h" })).rejects.toThrow(
    "--cotangent h: expected one column of that name, found y: int64",
  );
  await expect(built.run({ ...options, cotangent: "y" })).rejects.toThrow(
    "column y: expected fixed_size_list or list of float32 or float64 for --cotangent, found int64",
  );
});

test("in memory: inputs that do not fit, and NaN rows", () => {
  const logits = Float64Array.of(1, 2, Number.NaN, 4);
  const shape = { rows: 2, classes: 2 };
  expect(() =>
    built.softmaxResults(logits, { ...shape, emit: ["vjp"], cotangent: [1] }),
  ).toThrow("cotangent: expected 2 x 2 values, found 1");
  expect(() =>
    built.softmaxResults(logits, { ...shape, emit: ["bad"] as never }),
  ).toThrow("emit: expected names among softmax, log_softmax");
  expect(() =>
    built.softmaxResults(logits, { ...shape, emit: ["entropy"] }),
  ).toThrow("logits: row 1: expected finite logits");
  const { entropy, argmax } = built.softmaxResults(logits, {
    ...shape,
    emit: ["entropy", "argmax"],
    onBadRow: "nan",
  });
  expect(Array.from(entropy as Float64Array)).toEqual([
    expect.closeTo(0.5822, 4),
    Number.NaN,
  ]);
  expect(Array.from(argmax as Int32Array)).toEqual([1, -1]);
});

test("entries: compressed sparse rows of what is large enough", () => {
  const all = inputs(30, 6);
  const { rows, classes } = all;
  const J = inMemory(all, ["jacobian"]).jacobian as Float64Array;
  const { offsets, indices, values, droppedMax, droppedSum } =
    built.softmaxJacobianEntries(all.logits, {
      rows,
      classes,
      threshold: 0.01,
    });
  for (let r = 0; r < rows; r++) {
    const block = Array.from(J.subarray(r * 36, (r + 1) * 36));
    const [from, to] = [offsets[r], offsets[r + 1]];
    const kept = block.flatMap((x, n) => (Math.abs(x) >= 0.01 ? [n] : []));
    expect([...indices.subarray(from, to)]).toEqual(kept);
    expect([...values.subarray(from, to)]).toEqual(kept.map((n) => block[n]));
    const small = block.filter((x) => Math.abs(x) < 0.01).map(Math.abs);
    expect(droppedMax[r]).toBe(Math.max(0, ...small));
    expect(droppedSum[r]).toBeCloseTo(
      small.reduce((s, x) => s + x, 0),
      14,
    );
  }
  const top = built.softmaxJacobianEntries(Float32Array.from(all.logits), {
    rows,
    classes,
    topK: 4,
  });
  expect(top.values).toBeInstanceOf(Float32Array);
  expect(Array.from(top.offsets)).toEqual(
    Array.from({ length: rows + 1 }, (_, r) => 4 * r),
  );
});

test("entries: bad rows and limits that cannot be", () => {
  const logits = Float64Array.of(1, 2, Number.NaN, 0);
  const shape = { rows: 2, classes: 2 };
  expect(() => built.softmaxJacobianEntries(logits, shape)).toThrow(
    "logits: row 1: expected finite logits",
  );
  const { offsets, droppedSum } = built.softmaxJacobianEntries(logits, {
    ...shape,
    onBadRow: "nan",
  });
  expect([...offsets]).toEqual([0, 4, 4]);
  expect([...droppedSum]).toEqual([0, Number.NaN]);
  for (const [wrong, message] of [
    [{ threshold: -1 }, "threshold: expected a number from 0, found -1"],
    [
      { threshold: Number.NaN },
      "threshold: expected a number from 0, found NaN",
    ],
    [{ topK: 0 }, "topK: expected a whole number from 1, found 0"],
  ] as const)
    expect(() =>
      built.softmaxJacobianEntries(logits, { ...shape, ...wrong }),
    ).toThrow(message);
});
