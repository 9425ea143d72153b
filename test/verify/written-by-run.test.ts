import { type DataType, Field, Float32, Float64, List } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { EMIT_NAMES, EMITS, LAYOUTS } from "../../src/results/catalogue.js";
import { verifyValues } from "../../src/verify/verify-values.js";
import { built } from "../support/built.js";
import { hardRows } from "../support/hard-rows.js";
import { inputs, writeInputs } from "../support/inputs-input.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { type ResultsFile, writeResults } from "../support/results-file.js";

const at = workDirectory();
const NAMES = {
  column: "logits",
  label: "y",
  cotangent: "g",
  tangent: "v",
  covariance: "s",
};
const input = at("in.arrow");
writeInputs(input, inputs(150, 7), 40);

async function written(options: Omit<RunOptions, "output" | "input">) {
  const output = at("out.arrow");
  await built.run({ threads: 1, ...options, input, output, force: true });
  return output;
}

/** A file that is as it should be has no problems, and errors that are not all 0. */
async function expectSound(options: Parameters<typeof verifyValues>[0]) {
  const reports = {
    all: await verifyValues({ ...options, rows: "all" }),
    sample: await verifyValues({ ...options, rows: 12 }),
  };
  for (const report of Object.values(reports)) {
    expect(report.problems).toEqual([]);
    expect(report.columns.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.laws.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.ok).toBe(true);
  }
  const { all, sample } = reports;
  expect(all.rowsChecked).toBe(all.rows);
  expect(sample.rowsChecked).toBe(Math.min(12, sample.rows));
  return all;
}

describe.each([1, 0.7, 25])("temperature %d", (temperature) => {
  test.each(["float64", "float32"] as const)(
    "every result, %s",
    async (dtype) => {
      const output = await written({
        ...NAMES,
        classColumn: "k",
        emit: EMIT_NAMES,
        dtype,
        temperature,
      });
      const report = await expectSound({
        ...NAMES,
        classColumn: "k",
        input,
        output,
        rows: "all",
      });
      expect(report.columns.map(({ name }) => name)).toEqual(EMIT_NAMES);
      for (const column of report.columns) {
        expect(column.values).toBeGreaterThan(0);
        if (column.name !== "argmax")
          expect(column.maxError).toBeGreaterThan(0);
        expect(column.meanRelativeErrorPercent).toBeLessThan(1e-4);
      }
      expect(report.laws.map(({ name }) => name)).toEqual([
        "softmax sums to 1",
        "rows of jacobian sum to 0",
        "jacobian is symmetric",
        "columns of log_jacobian sum to 0",
      ]);
    },
  );
});

describe.each(LAYOUTS)("%s", (layout) => {
  test.each(["float64", "float32"] as const)("blocks, %s", async (dtype) => {
    for (const of of ["jacobian", "log_jacobian"] as const) {
      if (layout === "packed" && of === "log_jacobian") continue;
      const emit = [of, "entropy"] as const;
      const output = await written({ column: "logits", layout, dtype, emit });
      await expectSound({ column: "logits", input, output, rows: "all" });
    }
  });

  test("the rows that others get wrong", async () => {
    for (const { name, rows } of hardRows())
      for (const classes of new Set(rows.map((row) => row.length))) {
        if (classes > (layout === "dense" ? 40 : 400)) continue;
        const some = rows.filter((row) => row.length === classes);
        const hard = at("hard.arrow");
        writeLogits(hard, {
          rows: some.length,
          classes,
          batchRows: [7],
          logit: (r, k) => some[r]?.[k] as number,
        });
        const output = at("hard-out.arrow");
        await built.run({
          input: hard,
          output,
          layout,
          emit: ["jacobian"],
          force: true,
          threads: 1,
        });
        const report = await verifyValues({ input: hard, output, rows: "all" });
        expect(report.problems, name).toEqual([]);
        expect(report.ok, name).toBe(true);
      }
  });
});

describe.each(["csr", "coo"] as const)("%s", (layout) => {
  const CHOICES = [
    { threshold: 1e-6 },
    { threshold: 0.05 },
    { topK: 10 },
    { threshold: 1e-3, topK: 5, temperature: 3 },
  ];
  test.each(CHOICES)("%j", async (choice) => {
    // Both types, each with one of the two blocks; the next choice has the other pairs.
    const isOdd = CHOICES.indexOf(choice) % 2;
    for (const [dtype, of] of [
      ["float64", isOdd ? "jacobian" : "log_jacobian"],
      ["float32", isOdd ? "log_jacobian" : "jacobian"],
    ] as const) {
      const output = await written({
        column: "logits",
        layout,
        dtype,
        emit: ["dropped_sum", of, "confidence", "argmax", "dropped_max"],
        ...choice,
      });
      await expectSound({ column: "logits", input, output, rows: "all" });
    }
  });
});

test("every result of the rows that others get wrong", async () => {
  const emit = EMIT_NAMES.filter(
    (name) => !("input" in EMITS[name]) || name === "column",
  );
  const [hard, output] = [at("hard-in.arrow"), at("hard-all.arrow")];
  for (const { name, rows } of hardRows())
    for (const classes of new Set(rows.map((row) => row.length))) {
      const some = rows.filter((row) => row.length === classes);
      writeLogits(hard, {
        rows: some.length,
        classes,
        logit: (r, k) => some[r]?.[k] as number,
      });
      for (const dtype of ["float64", "float32"] as const) {
        const same = { input: hard, output, emit, dtype, class: 0 };
        await built.run({ ...same, force: true, threads: 1 });
        const report = await verifyValues({ ...same, rows: "all" });
        expect(report.problems, name).toEqual([]);
        expect(report.ok, name).toBe(true);
      }
    }
});

test("csr beside results of every size", async () => {
  const emit = EMIT_NAMES.filter((name) => name !== "log_jacobian");
  const names = { ...NAMES, classColumn: "k" };
  const output = await written({ ...names, layout: "csr", emit });
  await expectSound({ ...names, input, output, rows: "all" });
});

test("one class for all rows", async () => {
  const output = await written({
    column: "logits",
    emit: ["column"],
    class: 3,
    temperature: 2,
  });
  await expectSound({ column: "logits", input, output, rows: "all" });
});

test("logits in separate columns and in lists, of float32 and float64", async () => {
  const output = at("forms-out.arrow");
  const forms = at("forms.arrow");
  const rows = Array.from({ length: 23 }, (_, r) =>
    [0, 1, 2].map((k) => Math.fround(Math.sin(3 * r + k) * 5)),
  );
  const list = (type: DataType) => new List(new Field("item", type, false));
  const single = (type: DataType) =>
    [0, 1, 2].map((k): ResultsFile["columns"][number] => [
      `o${k}`,
      type,
      rows.map((row) => row[k]),
    ]);
  for (const type of [new Float32(), new Float64()])
    for (const form of ["columns", "list"] as const) {
      writeResults(forms, {
        columns: form === "list" ? [["o", list(type), rows]] : single(type),
        batchRows: [4, 7],
      });
      const names = form === "list" ? { column: "o" } : { columns: "o*" };
      await built.run({ ...names, input: forms, output, force: true });
      await expectSound({ ...names, input: forms, output, rows: "all" });
    }
});

test("a list that is not as long as the first", async () => {
  const output = at("ragged-out.arrow");
  const list = new List(new Field("item", new Float64(), false));
  const ragged = at("ragged.arrow");
  const write = (...values: number[][]) =>
    writeResults(ragged, { columns: [["o", list, values]] });
  write([1, 2], [3, 4], [5, 6]);
  await built.run({ input: ragged, output });
  write([1, 2], [3], [5, 6]);
  await expect(
    verifyValues({ input: ragged, output, rows: "all" }),
  ).rejects.toThrow(
    `${ragged}: column o, row 1: expected 2 values as in the first row, found 1; pad the lists to one length: --pad masks the classes that a row of logits lacks, as do nulls with --null-logit mask`,
  );
});
