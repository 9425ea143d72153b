import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tableFromArrays, tableToIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import type { DatasetOptions } from "../../src/dataset/options.js";
import { optionsOf } from "../../src/options/options-table.js";
import type { RunOptions } from "../../src/options/run-options.js";
import { npy } from "../support/array-files.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { inputs, writeInputs } from "../support/inputs-input.js";
import { workDirectory } from "../support/logits-input.js";

// Two datasets of one fingerprint have the same bytes; so have two of one set of options that change bytes.

type Given = Partial<DatasetOptions>;
// The interface, the table and the cases below have the same names.
type Option = Exclude<keyof RunOptions, "input" | "force">;

const at = workDirectory();
const folder = at("lists");
mkdirSync(folder);
writeInputs(join(folder, "1.arrow"), inputs(60, 3), 20);
const wide = at("wide");
mkdirSync(wide);
const draw = (k: number) =>
  Float64Array.from({ length: 9 }, (_, r) => Math.sin(r * 5 + k));
const table = tableFromArrays({
  a0: draw(0),
  a1: draw(1),
  b0: draw(2),
  b1: draw(3),
});
writeFileSync(
  join(wide, "1.arrow"),
  tableToIPC(table, { format: "file" }) as Uint8Array,
);

const arrays = at("arrays");
mkdirSync(arrays);
writeFileSync(join(arrays, "1.npy"), npy(Float64Array.of(0, 1, 2), [3, 1]));

const lists: Given = { inputs: [folder], column: "logits" };
const csr: Given = { ...lists, layout: "csr" };
/** Two values of every option, and what each is given with. */
const CASES: Record<Option, { of: Given; values: [unknown, unknown] }> = {
  column: { of: { inputs: [folder] }, values: ["logits", "v"] },
  columns: { of: { inputs: [wide] }, values: ["a*", "b*"] },
  classAxis: { of: { inputs: [arrays] }, values: [0, 1] },
  binary: { of: { inputs: [arrays] }, values: [false, true] },
  pad: { of: lists, values: [false, true] },
  onBadRow: { of: lists, values: ["error", "skip"] },
  nullLogit: { of: lists, values: ["error", "mask"] },
  allowMissingEos: { of: lists, values: [false, true] },
  emit: { of: lists, values: [["softmax"], ["jacobian"]] },
  layout: { of: lists, values: ["bsr", "packed"] },
  threshold: { of: csr, values: [0, 1e-3] },
  topK: { of: csr, values: [1, 2] },
  temperature: { of: lists, values: [1, 2] },
  class: { of: { ...lists, emit: ["column"] }, values: [0, 1] },
  classColumn: { of: { ...lists, emit: ["column"] }, values: ["y", "k"] },
  label: { of: { ...lists, emit: ["gradient"] }, values: ["y", "k"] },
  classNames: {
    of: lists,
    values: [
      ["a", "b", "c"],
      ["a", "c", "b"],
    ],
  },
  cotangent: { of: { ...lists, emit: ["vjp"] }, values: ["g", "v"] },
  tangent: { of: { ...lists, emit: ["jvp"] }, values: ["g", "v"] },
  covariance: { of: { ...lists, emit: ["variance"] }, values: ["s", "v"] },
  forceDense: { of: lists, values: [false, true] },
  output: { of: lists, values: [at("one"), at("two")] },
  keep: { of: lists, values: [["y"], ["k"]] },
  dtype: { of: lists, values: ["float32", "float64"] },
  compress: { of: lists, values: [undefined, "zstd"] },
  sync: { of: lists, values: [true, false] },
  threads: { of: lists, values: [1, 2] },
  chunkRows: { of: lists, values: [7, 50] },
};

const ofRun = optionsOf("run").filter(
  ({ group, argument }) => group !== "Reporting" && !argument,
);

test("every option of a run has a case below", () => {
  const names = ofRun.map(({ name }) => name);
  // A dataset is replaced by `overwrite`.
  expect(Object.keys(CASES).sort()).toEqual(
    names.filter((name) => name !== "force").sort(),
  );
});

let outputs = 0;

test.each(Object.entries(CASES))(
  "%s changes the fingerprint, or no byte",
  async (name, { of, values }) => {
    const calls = values.map((value) => ({
      output: at(`out-${outputs++}`),
      shardRows: 40,
      ...of,
      [name]: value,
    })) as [DatasetOptions, DatasetOptions];
    const [one, two] = await Promise.all(
      calls.map(async (call) => (await built.dryRunDataset(call)).fingerprint),
    );
    const spec = ofRun.find((option) => option.name === name);
    if (spec?.affects === "bytes") return expect(one).not.toBe(two);
    expect(one).toBe(two);
    const [first, second] = calls;
    await built.runDataset(first);
    await built.runDataset(second);
    expect(filesOf(second.output)).toEqual(filesOf(first.output));
  },
);

test.each<[keyof DatasetOptions, unknown, unknown]>([
  ["shardRows", 20, 30],
  ["shardBytes", 1000, 2000],
  ["checksums", false, true],
])("%s changes the fingerprint", async (name, ...values) => {
  const [one, two] = await Promise.all(
    values.map((value) =>
      built.dryRunDataset({
        ...(lists as DatasetOptions),
        output: at("none"),
        [name]: value,
      }),
    ),
  );
  expect(one?.fingerprint).not.toBe(two?.fingerprint);
});
