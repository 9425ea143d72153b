import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { DatasetOptions } from "../../src/dataset/options.js";
import { optionsOf } from "../../src/options/options-table.js";
import type { RunOptions } from "../../src/options/run-options.js";
import { npy } from "../support/array-files.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { inputs, writeInputs } from "../support/inputs-input.js";
import { upTo } from "../support/runs.js";
import { writeMatrix } from "../support/sums-files.js";
import { workOutputs } from "./support.js";

// Datasets with one fingerprint have the same bytes; options that change bytes change the fingerprint.

type Given = Partial<DatasetOptions>;
// The interface, the table and the cases below have the same names.
type Option = Exclude<keyof RunOptions & keyof DatasetOptions, "intercept">;

const { at, newOutput } = workOutputs();
for (const name of ["lists", "wide", "arrays"]) mkdirSync(at(name));
writeInputs(at("lists/1.arrow"), inputs(60, 3), 20);
const draw = (k: number) =>
  Array.from({ length: 9 }, (_, r) => Math.sin(r * 5 + k));
const columns = ["a0", "a1", "b0", "b1"].map((name, k) => [
  ...[name, [draw(k), "float64"]],
]);
writeArrow(at("wide/1.arrow"), Object.fromEntries(columns));
for (const T of [2, 3])
  writeFileSync(at(`T${T}.json`), JSON.stringify({ temperature: T }));
writeFileSync(at("arrays/1.npy"), npy(Float64Array.of(0, 1, 2), [3, 1]));

const wide: Given = { inputs: [at("wide")] };
const arrays: Given = { inputs: [at("arrays")] };
const lists: Given = { inputs: [at("lists")], column: "logits" };
const csr: Given = { ...lists, layout: "csr" };
/** Files of a model with the same names in two directories. */
for (const [folder, x] of [
  ["one model", 1],
  ["other model", 2],
] as const) {
  mkdirSync(at(folder));
  writeMatrix(at(`${folder}/B.npy`), [
    [1, 2],
    [3, x],
  ]);
  const diagonal = upTo(4).map((k) => upTo(4).map((j) => (j === k ? x : 0)));
  writeMatrix(at(`${folder}/V.npy`), diagonal);
}
const files = (name: string) =>
  ["one model", "other model"].map((folder) => at(`${folder}/${name}`));
const model: Given = {
  ...{ ...wide, features: "a*", base: "none" },
  coefficients: at("one model/B.npy"),
};
const emits = (name: string) => ({ ...lists, emit: [name] }) as Given;
/** Two values of every option, and the other options to use with them. */
const CASES: Record<Option, [others: Given, ...values: unknown[]]> = {
  column: [{ inputs: [at("lists")] }, "logits", "v"],
  columns: [wide, "a*", "b*"],
  classAxis: [arrays, 0, 1],
  binary: [arrays, false, true],
  pad: [lists, false, true],
  onBadRow: [lists, "error", "skip"],
  nullLogit: [lists, "error", "mask"],
  allowMissingEos: [lists, false, true],
  emit: [lists, ["softmax"], ["jacobian"]],
  layout: [lists, "bsr", "packed"],
  threshold: [csr, 0, 1e-3],
  topK: [csr, 1, 2],
  temperature: [lists, 1, 2],
  temperatureFile: [lists, at("T2.json"), at("T3.json")],
  class: [emits("column"), 0, 1],
  classColumn: [emits("column"), "y", "k"],
  label: [emits("gradient"), "y", "k"],
  classNames: [lists, ["a", "b", "c"], ["a", "c", "b"]],
  cotangent: [emits("vjp"), "g", "v"],
  tangent: [emits("jvp"), "g", "v"],
  covariance: [emits("variance"), "s", "v"],
  features: [model, "a*", "b*"],
  coefficients: [model, ...files("B.npy")],
  base: [model, "0", "1"],
  covarianceFile: [{ ...model, emit: ["std_error"] }, ...files("V.npy")],
  forceDense: [lists, false, true],
  output: [lists, at("one"), at("two")],
  keep: [lists, ["y"], ["k"]],
  dtype: [lists, "float32", "float64"],
  compress: [lists, undefined, "zstd"],
  sync: [lists, true, false],
  threads: [lists, 1, 2],
  chunkRows: [lists, 7, 50],
};
const DATASET = {
  shardRows: [lists, 20, 30],
  shardBytes: [lists, 1000, 2000],
  checksums: [lists, false, true],
} satisfies Record<string, [Given, ...unknown[]]>;

const ofRun = optionsOf("run").filter(
  ({ group, argument }) => group !== "Reporting" && !argument,
);

test("every option of a run has a case", () => {
  // A dataset is replaced by `overwrite`, and no coefficients fit with an intercept and without.
  const others = ["force", "intercept"];
  const names = ofRun.map(({ name }) => name);
  expect([...Object.keys(CASES), ...others].sort()).toEqual(names.sort());
});

test.each(Object.entries({ ...CASES, ...DATASET }))(
  "%s changes the fingerprint, or no byte",
  async (name, [others, ...values]) => {
    const [one, two] = values.map((value) => ({
      ...{ inputs: [], output: newOutput() },
      // It overrides shardBytes.
      shardRows: name === "shardBytes" ? undefined : 40,
      ...others,
      [name]: value,
    })) as [DatasetOptions, DatasetOptions];
    const plans = [built.dryRunDataset(one), built.dryRunDataset(two)];
    const [first, second] = await Promise.all(plans);
    const affects = ofRun.find((option) => option.name === name)?.affects;
    const isSame = first?.fingerprint === second?.fingerprint;
    expect(isSame).toBe(affects !== "bytes" && !(name in DATASET));
    if (!isSame) return;
    await built.runDataset(one);
    await built.runDataset(two);
    expect(filesOf(two.output)).toEqual(filesOf(one.output));
  },
);
