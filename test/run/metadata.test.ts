import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { Field, Float64, Int32, RecordBatchReader, Struct } from "apache-arrow";
import { expect, test } from "vitest";
import { optionsOf } from "../../src/options/options-table.js";
import type { RunOptions } from "../../src/options/run-options.js";
import { npy } from "../support/array-files.js";
import { built } from "../support/built.js";
import { inputs, writeInputs } from "../support/inputs-input.js";
import { workDirectory } from "../support/logits-input.js";
import { writeResults } from "../support/results-file.js";

const at = workDirectory();
const input = at("in.arrow");
writeInputs(input, inputs(40, 3), 13);
const wide = at("wide.arrow");
const bits = [0, 1, 0, 1, 0];
writeResults(wide, {
  columns: [
    ["id", new Int32(), [4, 5, 6, 7, 8]],
    ...["logit_a", "logit_b", "logit, c"].map(
      (name, k): [string, Float64, number[]] => [
        name,
        new Float64(),
        bits.map((bit) => bit * k),
      ],
    ),
  ],
});

const array = at("array.npy");
writeFileSync(
  array,
  npy(
    Float64Array.from({ length: 12 }, (_, k) => Math.sin(k)),
    [3, 4],
  ),
);

function metadataOf(path: string): Record<string, string> {
  const { schema } = RecordBatchReader.from(readFileSync(path)).open();
  return Object.fromEntries(schema.metadata);
}

type Options = Omit<RunOptions, "input" | "output">;
/** Options of a run and the resulting metadata, for each option that changes bytes. */
const CASES: Record<string, [options: Options, stated: string]> = {
  column: [{ column: "logits" }, "logits"],
  columns: [{ columns: "logit*" }, "logit*"],
  classAxis: [{ classAxis: -2 }, "-2"],
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
  keep: [{ keep: ["y", "k"] }, '["y","k"]'],
  dtype: [{ dtype: "float32" }, "float32"],
  compress: [{ compress: "zstd" }, "zstd"],
};

test("every option that changes bytes has a case", () => {
  const names = optionsOf("run").filter(({ affects }) => affects === "bytes");
  expect(Object.keys(CASES).sort()).toEqual(
    names.map(({ name }) => name).sort(),
  );
});

test.each(Object.entries(CASES))(
  "%s is stored in the metadata, and verify reads it from there",
  async (name, [options, stated]) => {
    const given: Options = {
      ...(!["columns", "classAxis"].includes(name) && { column: "logits" }),
      ...options,
    };
    const from =
      name === "columns" ? wide : name === "classAxis" ? array : input;
    const output = at("out.arrow");
    await built.run({ ...given, input: from, output, threads: 2, force: true });
    const key = `softjac.${name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}`;
    const metadata = metadataOf(output);
    expect(metadata[key]).toBe(stated);
    expect(metadata["softjac.source"]).toBe(basename(from));
    for (const value of Object.values(metadata))
      expect(value).not.toContain(at(""));
    const report = await built.verify({ output, input: from, all: true });
    expect(report).toMatchObject({
      ok: true,
      problems: [],
      bytes: { compared: true, message: null },
    });
  },
);

test("class names come from columns and from fields of a struct", async () => {
  const output = at("names.arrow");
  const names = '["logit_a","logit_b","logit, c"]';
  await built.run({ input: wide, output, columns: "logit*" });
  expect(metadataOf(output)).toMatchObject({
    "softjac.columns": "logit*",
    "softjac.class_names": names,
    "softjac.classes": "3",
  });
  expect(metadataOf(output)).not.toHaveProperty("softjac.column");

  const fields = ["no", "yes"].map((name) => new Field(name, new Float64()));
  const struct = at("struct.arrow");
  writeResults(struct, {
    columns: [
      ["scores", new Struct(fields), bits.map((yes) => ({ no: 0, yes }))],
    ],
  });
  await built.run({ input: struct, output, force: true });
  expect(metadataOf(output)).toMatchObject({
    "softjac.column": "scores",
    "softjac.class_names": '["no","yes"]',
  });
});

test("the chosen column is stored; options of verify override stored ones", async () => {
  const output = at("chosen.arrow");
  const lists = at("lists.arrow");
  await built.run({
    input: wide,
    output: at("first.arrow"),
    columns: "logit*",
  });
  await built.run({
    input: at("first.arrow"),
    output: lists,
    column: "softmax",
    emit: ["log_softmax", "softmax"],
  });
  await built.run({ input: lists, output, column: "log_softmax" });
  expect(metadataOf(output)["softjac.column"]).toBe("log_softmax");
  const verified = (options: { column?: string; columns?: string }) =>
    built.verify({ ...options, output, input: lists });
  expect(await verified({})).toMatchObject({ ok: true });
  expect(await verified({ column: "softmax" })).toMatchObject({ ok: false });
  await expect(verified({ columns: "soft*" })).rejects.toMatchObject({
    code: "ERR_INPUT_UNSUPPORTED",
  });
});

test("verify detects other class names and another order", async () => {
  const output = at("order.arrow");
  await built.run({ input: wide, output, columns: "logit*" });
  const other = at("other.arrow");
  const column = (name: string): [string, Float64, number[]] => [
    name,
    new Float64(),
    bits,
  ];
  writeResults(other, {
    columns: ["logit_b", "logit_a", "logit, c"].map(column),
  });
  const report = await built.verify({ output, input: other });
  expect(report.ok).toBe(false);
  expect(report.problems).toEqual([
    `metadata: expected class 0 in softjac.class_names to be logit_b as in ${other}, found logit_a`,
  ]);
});

test("every shard of a dataset stores the options of the run", async () => {
  const output = at("parts");
  await built.runDataset({
    inputs: [input],
    output,
    column: "logits",
    emit: ["cross_entropy", "jacobian"],
    label: "y",
    keep: ["k"],
    shardRows: 20,
  });
  for (const part of [
    "part-00000-of-00002.arrow",
    "part-00001-of-00002.arrow",
  ]) {
    expect(metadataOf(`${output}/${part}`)).toMatchObject({
      "softjac.column": "logits",
      "softjac.label": "y",
      "softjac.keep": '["k"]',
      "softjac.on_bad_row": "error",
    });
    expect(
      await built.verify({ output: `${output}/${part}`, input, all: true }),
    ).toMatchObject({ ok: true, bytes: { compared: true, message: null } });
  }
});
