import { writeFileSync } from "node:fs";
import { Float64, Int64 } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { RunOptions, VerifyOptions } from "../../src/index.js";
import { EMIT_NAMES, EMITS, LAYOUTS } from "../../src/results/catalogue.js";
import { sampleRows } from "../../src/verify/compare-rows.js";
import { verify } from "../../src/verify/verify.js";
import { npy } from "../support/array-files.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { hardRows } from "../support/hard-rows.js";
import { rows } from "../support/input-runs.js";
import { inputs, writeInputs } from "../support/inputs-input.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { refused } from "../support/refused.js";
import {
  type Column,
  outputMetadata,
  writeResults,
} from "../support/results-file.js";

const at = workDirectory();
const output = at("out.arrow");
const input = at("in.arrow");
writeInputs(input, inputs(150, 7), 40);
const logits = { input, column: "logits" };
const auxiliary = {
  ...logits,
  ...{ label: "y", cotangent: "g", tangent: "v", covariance: "s" },
  classColumn: "k",
};

/** Verifies a number of rows; default: all, which are fewer than the default of the option. */
const verifyRows = (options: Omit<VerifyOptions, "output">, sample?: number) =>
  verify({ ...options, output, sample });

/** Runs, and expects no problems in all rows and in a sample; returns the report on all rows. */
async function expectSound(
  source: Omit<VerifyOptions, "output">,
  run: Partial<RunOptions> = {},
) {
  await built.run({ threads: 1, ...source, ...run, output, force: true });
  for (const rows of [12, 1000]) {
    const report = await verifyRows(source, rows);
    expect(report.columns.filter(({ ok }) => !ok)).toEqual([]);
    const rowsChecked = Math.min(rows, report.rows);
    expect(report).toMatchObject({ problems: [], ok: true, rowsChecked });
    if (rows === 1000) return report;
  }
  throw new Error("no report");
}

test.each([
  [1, "float64"],
  [0.7, "float32"],
  [25, "float64"],
] as const)("every result, T = %d, %s", async (temperature, dtype) => {
  const run = { emit: [...EMIT_NAMES], dtype, temperature };
  const report = await expectSound(auxiliary, run);
  expect(report.columns.map(({ name }) => name)).toEqual(EMIT_NAMES);
  for (const column of report.columns) {
    expect(column.values).toBeGreaterThan(0);
    expect(column.maxError > 0).toBe(column.name !== "argmax");
    expect(column.meanRelativeErrorPercent).toBeLessThan(1e-4);
  }
});

test("rows of 50,000 classes have at most 0.54 ulp", async () => {
  const wide = at("wide.arrow");
  const logit = (r: number, k: number) => 9 * Math.sin(k * (r + 1.1)) + r;
  writeLogits(wide, { rows: 3, classes: 50_000, batchRows: [3], logit });
  const emit: RunOptions["emit"] = ["softmax", "diagonal", "uncertainty"];
  const { columns } = await expectSound({ input: wide }, { emit });
  for (const { unit, maxError } of columns) {
    expect(unit).toBe("ulp");
    expect(maxError).toBeLessThanOrEqual(0.54);
  }
});

test("every result beside csr, and one class for all rows", async () => {
  const emit = EMIT_NAMES.filter((name) => name !== "log_jacobian");
  await expectSound(auxiliary, { layout: "csr", emit });
  await expectSound(logits, { emit: ["column"], class: 3, temperature: 2 });
});

test.each(LAYOUTS)("blocks of layout %s", async (layout) => {
  for (const dtype of ["float64", "float32"] as const)
    for (const result of ["jacobian", "log_jacobian"] as const)
      if (layout !== "packed" || result === "jacobian")
        await expectSound(logits, { layout, dtype, emit: [result, "entropy"] });
  const isHard = ({ classes }: { classes: number }) =>
    classes <= (layout === "dense" ? 40 : 400);
  const run = { layout, emit: ["jacobian"] } as const;
  for (const { name, source } of hardInputs().filter(isHard))
    await expectNoProblems(name, { ...source, ...run } as never);
});

async function expectNoProblems(name: string, run: Omit<RunOptions, "output">) {
  await built.run({ ...run, output, force: true, threads: 1 });
  const { problems, ok } = await verifyRows({ input: run.input });
  expect([name, problems, ok]).toEqual([name, [], true]);
}

function hardInputs() {
  return hardRows().flatMap(({ name, rows }, n) =>
    [...new Set(rows.map((row) => row.length))].map((classes) => {
      const own = rows.filter((row) => row.length === classes);
      const input = at(`hard-${n}-${classes}.arrow`);
      const logit = (r: number, k: number) => own[r]?.[k] as number;
      const batches = { rows: own.length, classes, batchRows: [7] };
      writeLogits(input, { ...batches, logit });
      return { name, classes, source: { input } };
    }),
  );
}

test("every result of hard rows", async () => {
  const emit = EMIT_NAMES.filter(
    (name) => !("input" in EMITS[name]) || name === "column",
  );
  for (const { name, source } of hardInputs())
    for (const dtype of ["float64", "float32"] as const)
      await expectNoProblems(name, { ...source, emit, dtype, class: 0 });
});

const CHOICES = [
  { threshold: 1e-6 },
  { threshold: 0.05 },
  { topK: 10 },
  { threshold: 1e-3, topK: 5, temperature: 3 },
];
describe.each(["csr", "coo"] as const)("dropped entries, %s", (layout) => {
  test.each(CHOICES)("%j", async (choice) => {
    // Each type has one of the two blocks, and the next choice has the other pairs.
    const blocks = ["log_jacobian", "jacobian"] as const;
    for (const [n, dtype] of (["float64", "float32"] as const).entries()) {
      const block = blocks[(n + CHOICES.indexOf(choice)) % 2] as "jacobian";
      const others = ["confidence", "argmax", "dropped_max"] as const;
      const emit = ["dropped_sum", block, ...others] as const;
      await expectSound(logits, { layout, dtype, emit: [...emit], ...choice });
    }
  });
});

test.each(["csr", "coo"] as const)(
  "dropped entries below the normal float32 numbers, %s",
  async (layout) => {
    const tiny = at("tiny.arrow");
    const logit = (r: number, k: number) => -k * (85 + r / 2);
    writeLogits(tiny, { rows: 40, classes: 3, batchRows: [40], logit });
    for (const block of ["jacobian", "log_jacobian"] as const)
      for (const choice of [{}, { threshold: 1e-6 }, { topK: 2 }]) {
        const emit = [block, "dropped_max", "dropped_sum"] as const;
        const run = { layout, dtype: "float32", emit: [...emit] } as const;
        await expectSound({ input: tiny }, { ...run, ...choice });
      }
  },
);

test("three of four entries that round to one float32 below the normal ones are dropped", async () => {
  const pairs = at("pairs.arrow");
  const logit = (r: number, k: number) => -k * (98 + r / 50);
  writeLogits(pairs, { rows: 200, classes: 2, batchRows: [200], logit });
  const run = { layout: "csr", topK: 1, dtype: "float32" } as const;
  await expectSound({ input: pairs }, { ...run, emit: ["jacobian"] });
});

test("factors whose roots of p are below 1e-217, at T = 0.001", async () => {
  const tiny = at("roots.arrow");
  const logit = (r: number, k: number) => (-k * (960 + r)) / 1000;
  writeLogits(tiny, { rows: 60, classes: 2, batchRows: [60], logit });
  const run = { emit: ["factor"], temperature: 0.001 } as const;
  await expectSound({ input: tiny }, run);
});

test("covariances of classes whose p, or products of p, are subnormal", async () => {
  const tiny = at("tiny-p.arrow");
  const sigma = [5e3, 1e3, 2, 1e3, 7e4, 3, 2, 3, 9];
  for (const temperature of [1, 0.01]) {
    const row = (_: unknown, n: number) =>
      [0, -300 - 12 * n, -1].map((x) => x * temperature);
    writeArrow(tiny, {
      o: [Array.from({ length: 40 }, row), "list<float64>"],
      s: [Array.from({ length: 40 }, () => sigma), "list<float64>"],
    });
    const emit = ["covariance", "variance", "std_error"] as const;
    const source = { input: tiny, column: "o", covariance: "s" };
    await expectSound(source, { emit: [...emit], temperature });
  }
});

const forms = at("forms.arrow");
test("an input whose lists change their lengths", async () => {
  const write = (...values: number[][]) =>
    writeArrow(forms, { o: [values, "list<float64>"] });
  write([1, 2], [3, 4], [5, 6]);
  await built.run({ input: forms, output, force: true });
  write([1, 2], [3], [5, 6]);
  await expect(verifyRows({ input: forms })).rejects.toThrow(
    `${forms}: column o, row 1: expected 2 values as in the first row, found 1; pad the lists to one length: --pad masks the classes that a row of logits lacks, as do nulls with --null-logit mask`,
  );
});

const BAD = [0, 7, 8, 23, 39];
const bad = { input: at("bad.arrow") };
const sound = { input: at("sound.arrow") };
const logit = (r: number, k: number) => Math.sin(5 * r + k) * 4;
const shape = { rows: 40, classes: 3, batchRows: [9, 1] };
writeLogits(sound.input, { ...shape, logit });
const badLogit = (r: number, k: number) =>
  BAD.includes(r) && k === r % 3 ? Number.NaN : logit(r, k);
writeLogits(bad.input, { ...shape, logit: badLogit });

test.each([
  ...["bsr skip", "bsr null", "csr skip", "csr null", "factored null"],
  ...["dense null", "coo skip"],
])("bad rows, %s", async (words) => {
  const [layout, way] = words.split(" ");
  const emit = layout === "coo" ? ["jacobian"] : ["jacobian", "entropy"];
  const run = { output, layout, emit, onBadRow: way, force: true };
  await built.run({ ...bad, ...run } as RunOptions);
  for (const [rows, badRows] of [
    [40, 5],
    [2, 2],
    [20, expect.any(Number)],
  ] as const)
    expect(await verifyRows(bad, rows)).toMatchObject({
      ...{ problems: [], ok: true, badRows },
    });
  // Rows that are good in the input must be present.
  const { problems } = await verifyRows(sound);
  const missing =
    /^row (\d+): (?:expected values|the row is missing|the entry .* is missing)/;
  const found = problems.map((text) => Number(missing.exec(text)?.[1]));
  expect(new Set(found)).toEqual(new Set(BAD));
  // Rows that are bad in the input must be absent.
  const good = { ...run, ...sound, emit: ["jacobian"], onBadRow: undefined };
  await built.run(good as RunOptions);
  const absent = (await verifyRows(bad)).problems;
  expect(absent).toHaveLength(5);
  expect(absent[1]).toMatch(
    "row 7: the input row is bad, so no row is expected; found values in column ",
  );
});

test.each([
  ["column", { class: 1 }, { classColumn: "k" }],
  ["std_error", { covariance: "s" }, { covarianceFile: "covariance.npy" }],
] as const)(
  "%s: %o of the run beside %o of the caller",
  async (emit, run, given) => {
    await built.run({ ...logits, ...run, emit: [emit], output, force: true });
    const names = Object.keys({ ...run, ...given }).join(", ");
    await expect(verifyRows({ ...logits, ...given })).rejects.toThrow(
      `${names}: give only one of them`,
    );
  },
);

test("another input, or the same logits in another format", async () => {
  const few = { input: at("few.arrow") };
  writeLogits(few.input, { rows: 5, classes: 3, logit });
  await built.run({ ...few, output, force: true });
  expect((await verifyRows(sound)).problems).toEqual([
    `metadata: expected softjac.rows 40 as in ${sound.input}, found 5`,
  ]);
  const unnamed = { input: at("unnamed.npy") };
  const values = Float64Array.from({ length: 15 }, (_, n) =>
    logit(Math.floor(n / 3), n % 3),
  );
  writeFileSync(unnamed.input, npy(values, [5, 3]));
  const expected = { ok: true, rowsChecked: 5 };
  expect(await verifyRows(unnamed)).toMatchObject(expected);
  const named = verifyRows({ ...unnamed, column: "logits" });
  await refused(named, "ERR_LOGITS_COLUMN");
});

test.each([0, 1])("an output of %i rows", async (rows) => {
  const few = { input: at("few.arrow") };
  writeLogits(few.input, { rows, classes: 3, logit });
  for (const layout of ["bsr", "csr", "coo"] as const)
    expect((await expectSound(few, { layout })).rows).toBe(rows);
});

describe("files that are no outputs", () => {
  const one = { input: at("one.arrow") };
  writeLogits(one.input, { rows: 1, classes: 3, logit });
  /** Verifies a file with a column and some metadata. */
  const verifyFile = (
    changes: object,
    column = "entropy",
    signal?: AbortSignal,
  ) => {
    const row: Column = ["row", new Int64(), [0n]];
    const columns: Column[] = [row, [column, new Float64(), [1]]];
    writeResults(output, columns, { emit: "entropy", ...changes });
    return verify({ ...one, output }, { signal });
  };

  test.each(Object.keys(outputMetadata({})))("%s is required", async (key) => {
    const name = key.replace("softjac.", "");
    await expect(verifyFile({ [name]: undefined })).rejects.toThrow(
      `${output}: metadata: ${key} is missing, so this is not an output of softjac`,
    );
  });

  test("results in softjac.emit, columns, files and signals", async () => {
    await expect(verifyFile({ emit: "entropy,bliss" })).rejects.toThrow(
      'expected names of results in softjac.emit, found "bliss"',
    );
    await refused(verifyFile({ emit: "entropy,entropy" }), "ERR_INPUT_FORMAT");
    expect((await verifyFile({}, "entropie")).problems).toEqual([
      "column entropy: expected float64, found no such column",
      "column entropie: the column is listed neither in softjac.emit nor in softjac.keep",
    ]);
    const stopped = verifyFile({}, "entropy", AbortSignal.abort());
    await refused(stopped, "ERR_ABORTED");
    await refused(verifyRows({ input: at("none") }), "ERR_INPUT_MISSING");
    writeFileSync(output, "ARROW1");
    await refused(verifyRows(one), "ERR_INPUT_FORMAT");
  });

  test("options", async () => {
    for (const options of [
      { sample: 0 },
      { sample: 1.5 },
      { seed: -1 },
      { column: "a", columns: "b" },
    ])
      await refused(built.verify({ ...one, output, ...options }), "ERR_USAGE");
  });
});

test.each([1000, 5])("progress over %d rows", async (rows) => {
  await built.run({ ...sound, output, force: true });
  const seen: [number, number][] = [];
  const onProgress = (...now: [number, number]) => seen.push(now);
  await verify({ ...sound, output, sample: rows }, { onProgress });
  const total = Math.min(40, rows);
  expect(seen.at(-1)).toEqual([total, total]);
});

test("samples are distinct rows with the first and the last", () => {
  const cases = rows("0 3 0; 1 1 1; 2 1 2; 10 2 2; 10 9 9; 1000 400 400");
  for (const [length = 0, count = 0, size] of cases) {
    const sample = sampleRows(length, count, 5);
    expect(sample).toEqual(Float64Array.from(new Set(sample)).sort());
    const ends = [sample.length, sample[0], sample.at(-1)];
    const none = [0, undefined, undefined];
    expect(ends).toEqual(length ? [size, 0, length - 1] : none);
    expect(sampleRows(length, count, 5)).toEqual(sample);
  }
  expect(sampleRows(1000, 400, 6)).not.toEqual(sampleRows(1000, 400, 5));
  const samples = Array.from({ length: 100 }, (_, n) => [
    ...sampleRows(12, 4, n),
  ]);
  expect(new Set(samples.flat()).size).toBe(12);
});
