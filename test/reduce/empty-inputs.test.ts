import { expect, test } from "vitest";
import type { ReduceOptions } from "../../src/index.js";
import { type Columns, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { drawn, readOutput, writeMatrix } from "../support/sums-files.js";

// Files without rows, or with only null lists, whose lists do not state their length.

const at = workDirectory();
const B = [
  [0, 0.4, -0.3],
  [0, 0.8, -0.5],
  [0, -0.2, 0.3],
];
const { x, logits, label } = drawn(200, B, 3);
const columns = (rows: number, isNull = false): Columns => {
  const listed = (lists: number[][]) =>
    lists.slice(0, rows).map((list) => (isNull ? null : list));
  return {
    logits: [listed(logits), "list<float64>"],
    x: [listed(x), "list<float64>"],
    label: [label.slice(0, rows), "int32"],
  };
};
const [empty, full, nulls] = [at("empty"), at("full"), at("nulls")];
writeArrow(empty, columns(0));
writeArrow(full, columns(200));
writeArrow(nulls, columns(2, true));
const coefficients = writeMatrix(at("B.npy"), B);
const orders = [
  [empty, full],
  [full, empty],
];

/** Returns the report of reduce, and the columns of its output. */
async function reduced(options: Omit<ReduceOptions, "output">) {
  const output = at("out");
  const report = await built.reduce({ ...options, output, force: true });
  return { ...readOutput(output).columns, badRows: report.badRows };
}

test.each<[name: string, options: Omit<ReduceOptions, "inputs" | "output">]>([
  ["logits", { column: "logits" }],
  ["kfac", { column: "logits", features: "x", emit: ["kfac"] }],
  ["a model", { features: "x", coefficients, base: "none" }],
])("reduce of %s", async (_, options) => {
  const expected = await reduced({ ...options, inputs: [full] });
  for (const inputs of orders)
    expect(await reduced({ ...options, inputs })).toEqual(expected);
});

test("rows that are null are bad rows, also in the first file", async () => {
  const options = { column: "logits", onBadRow: "skip" } as const;
  const expected = await reduced({ ...options, inputs: [full] });
  const inputs = [nulls, full];
  const found = await reduced({ ...options, inputs });
  expect(found).toEqual({ ...expected, badRows: 2 });
});

test("effects and calibrate", async () => {
  const model = { features: "x", coefficients, base: "none" } as const;
  const fitted = { label: "label", column: "logits" } as const;
  const one = await built.effects({ ...model, inputs: [full] });
  const fit = await built.calibrate({ ...fitted, inputs: [full] });
  for (const inputs of orders) {
    const { effects } = await built.effects({ ...model, inputs });
    expect(effects).toEqual(one.effects);
    const { temperature } = await built.calibrate({ ...fitted, inputs });
    expect(temperature).toBe(fit.temperature);
  }
});

test("no rows in any file", async () => {
  const inputs = [empty, nulls];
  await expect(reduced({ inputs, column: "logits" })).rejects.toThrow(
    "no row has logits, so the number of classes is unknown",
  );
});
