import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { optionsOf } from "../../src/options/options-table.js";
import type { RunOptions } from "../../src/options/run-options.js";
import { npy } from "../support/array-files.js";
import { type Columns, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { inputs, writeInputs } from "../support/inputs-input.js";
import { runsIn, upTo, VERIFIED, verifyAll } from "../support/runs.js";

const { at, run, input, output } = runsIn();
writeInputs(input, inputs(40, 3), 13);
const bits = [0, 1, 0, 1, 0];
const numbersOf = (names: string[], scale: (n: number) => number): Columns =>
  Object.fromEntries(
    names.map((name, n) => [
      name,
      [bits.map((bit) => bit * scale(n)), "float64"],
    ]),
  );
const NAMES = ["logit_a", "logit_b", "logit, c"];
const wide = at("wide.arrow");
writeArrow(wide, {
  id: [[4, 5, 6, 7, 8], "int32"],
  ...numbersOf(NAMES, (n) => n),
});
const array = at("array.npy");
writeFileSync(array, npy(Float64Array.from(upTo(12), Math.sin), [3, 4]));

const coefficients = at("B.npy");
writeFileSync(coefficients, npy(Float64Array.of(0.5, 0.1, -0.2, 0.3), [4, 1]));
const covarianceFile = at("V.npy");
const V = Float64Array.from(upTo(16), (n) => (n % 5 === 0 ? 0.01 : 0));
writeFileSync(covarianceFile, npy(V, [4, 4]));
const model = {
  ...{ input: wide, features: NAMES.map(escaped).join(), coefficients },
  ...{ intercept: true, emit: ["softmax"] as const },
};

function escaped(name: string): string {
  return name.replaceAll(",", "\\,");
}

/** Options of a run and the resulting metadata, for each option that changes bytes. */
const CASES: Record<string, [options: Partial<RunOptions>, stated: string]> = {
  column: [{ column: "logits" }, "logits"],
  columns: [{ columns: "logit*", input: wide }, "logit*"],
  classAxis: [{ classAxis: -2, input: array }, "-2"],
  pad: [{ pad: true }, "true"],
  binary: [{ binary: true, column: "y" }, "true"],
  onBadRow: [{ onBadRow: "null" }, "null"],
  nullLogit: [{ nullLogit: "mask" }, "mask"],
  allowMissingEos: [{ allowMissingEos: true }, "true"],
  emit: [{ emit: ["entropy", "jacobian"] }, "entropy,jacobian"],
  layout: [{ layout: "packed" }, "packed"],
  threshold: [{ layout: "csr", threshold: 0.25 }, "0.25"],
  topK: [{ layout: "coo", topK: 2 }, "2"],
  temperature: [{ temperature: 0.5 }, "0.5"],
  class: [{ emit: ["column"], class: 2 }, "2"],
  classColumn: [{ emit: ["column"], classColumn: "k" }, "k"],
  label: [{ emit: ["gradient"], label: "y" }, "y"],
  classNames: [{ classNames: ["a", "b, c", "d"] }, '["a","b, c","d"]'],
  cotangent: [{ emit: ["vjp"], cotangent: "g" }, "g"],
  tangent: [{ emit: ["jvp"], tangent: "v" }, "v"],
  covariance: [{ emit: ["variance"], covariance: "s" }, "s"],
  features: [model, "logit_a,logit_b,logit\\, c"],
  intercept: [model, "true"],
  coefficients: [model, "B.npy"],
  base: [{ ...model, base: 1 }, "1"],
  covarianceFile: [
    { ...model, covarianceFile, emit: ["std_error", "covariance"] },
    "V.npy",
  ],
  keep: [{ keep: ["y", "k"] }, '["y","k"]'],
  dtype: [{ dtype: "float32" }, "float32"],
  compress: [{ compress: "zstd" }, "zstd"],
};

test("every option that changes bytes has a case", () => {
  // The metadata state the temperature of a file, not its path.
  const names = optionsOf("run").filter(
    ({ affects, name }) => affects === "bytes" && name !== "temperatureFile",
  );
  expect(Object.keys(CASES).sort()).toEqual(
    names.map(({ name }) => name).sort(),
  );
});

test.each(Object.entries(CASES))(
  "%s is stored in the metadata, and verify reads it from there",
  async (name, [options, stated]) => {
    const column = options.input ? undefined : "logits";
    const { metadata } = await run({ column, threads: 2, ...options });
    const from = options.input ?? input;
    const key = `softjac.${name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}`;
    expect(metadata).toMatchObject({
      [key]: stated,
      "softjac.source": basename(from),
    });
    for (const value of Object.values(metadata))
      expect(value).not.toContain(at(""));
    expect(await verifyAll(output, from)).toMatchObject(VERIFIED);
  },
);

test("the chosen column is stored; options of verify override stored ones", async () => {
  const [first, lists] = [at("first.arrow"), at("lists.arrow")];
  await run({ input: wide, output: first, columns: "logit*" });
  const emit = ["log_softmax", "softmax"] as const;
  await run({ input: first, output: lists, column: "softmax", emit });
  const { metadata } = await run({ input: lists, column: "log_softmax" });
  expect(metadata["softjac.column"]).toBe("log_softmax");
  const verified = (options: { column?: string; columns?: string }) =>
    built.verify({ ...options, output, input: lists });
  expect(await verified({})).toMatchObject({ ok: true });
  expect(await verified({ column: "softmax" })).toMatchObject({ ok: false });
  await expect(verified({ columns: "soft*" })).rejects.toMatchObject({
    code: "ERR_INPUT_UNSUPPORTED",
  });
});

test("verify detects other class names and another order", async () => {
  await run({ input: wide, columns: "logit*" });
  const other = at("other.arrow");
  const names = ["logit_b", "logit_a", "logit, c"];
  writeArrow(
    other,
    numbersOf(names, () => 1),
  );
  expect(await built.verify({ output, input: other })).toMatchObject({
    ok: false,
    problems: [
      `metadata: expected class 0 in softjac.class_names to be logit_b as in ${other}, found logit_a`,
    ],
  });
});
