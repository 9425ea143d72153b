import { Field, Float64, Struct } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { findNames, splitNames } from "../../src/input/column-names.js";
import { safetensorsFile } from "../support/array-files.js";
import {
  inputRuns,
  type Options,
  rows,
  softmaxOf,
} from "../support/input-runs.js";
import { flatSchema, parquetFile } from "../support/parquet-file.js";
import { writeResults } from "../support/results-file.js";

const { input, write, run, verified, refused } = inputRuns();

describe("a list of names", () => {
  test.each([
    ["a,b", ["a", "b"]],
    ["a, b", ["a", " b"]],
    ["('x'\\, 'y'),b", ["('x', 'y')", "b"]],
    ["a\\\\,b", ["a\\", "b"]],
    ["C:\\x", ["C:\\x"]],
    ["a,,b,", ["a", "b"]],
  ])("%s is split at its commas", (text, pieces) => {
    expect(splitNames(text)).toEqual(pieces);
  });

  const names = [
    "a",
    "b",
    "a,b",
    "('m', 'id')",
    "l_10",
    "l_9",
    "x*",
    "xy",
    "b",
  ];
  test.each<[list: string, found: Record<string, number[]>]>([
    ["a,l_9", { a: [0], l_9: [5] }],
    [" a , l_9 ", { a: [0], l_9: [5] }],
    // Pieces are joined only if some match no column.
    ["a,b", { a: [0], b: [1, 8] }],
    ["a,b,c", { "a,b": [2], c: [] }],
    ["a\\,b", { "a,b": [2] }],
    ["('m', 'id'),a", { "('m', 'id')": [3], a: [0] }],
    ["('m'\\, 'id')", { "('m', 'id')": [3] }],
    // A name takes precedence over a pattern.
    ["x*", { "x*": [6] }],
    ["?y,l_*", { "?y": [7], "l_*": [5, 4] }],
    ["b", { b: [1, 8] }],
    ["c,a", { c: [], a: [0] }],
    ["z*", { "z*": [] }],
  ])("%s stands for columns", (list, found) => {
    expect(
      findNames(splitNames(list), names).map(({ text, indices }) => [
        text,
        indices,
      ]),
    ).toEqual(Object.entries(found));
  });
});

describe("columns of a file", () => {
  const writeColumns = () =>
    write({
      "('id', '')": [[7, 8], "int32"],
      "('logit', 'b')": [[0, 3], "float64"],
      "('logit', 'a')": [[1, 5], "float64"],
      other: [[2, -1], "float64"],
    });

  test("names and patterns state the classes in their order", async () => {
    writeColumns();
    const { metadata, column } = await verified({
      columns: "other,('logit', 'a'),('logit'*'b')",
      keep: ["('id', '')"],
    });
    const expected = rows("2 1 0; -1 5 3").map((row) => softmaxOf(row));
    expect(column("softmax")).toEqual(expected);
    expect(column("('id', '')")).toEqual([7, 8]);
    expect(metadata).toMatchObject({
      "softjac.class_names": `["other","('logit', 'a')","('logit', 'b')"]`,
      "softjac.keep": `["('id', '')"]`,
    });
  });

  test("patterns choose columns to copy", async () => {
    writeColumns();
    const keep = ["('id'", "*')", "oth*"];
    const { column } = await run({ columns: "('logit'*", keep });
    expect(column("other")).toEqual([2, -1]);
    expect(column("('id', '')")).toEqual([7, 8]);
  });

  const has =
    "the file has ('id', ''): int32, ('logit', 'b'): float64, ('logit', 'a'): float64, other: float64";
  test.each<[options: Options, text: string]>([
    [{ columns: "other,nothing" }, `--columns nothing: no such column; ${has}`],
    [
      { columns: "other", keep: ["none*"] },
      `--keep none*: no such column; ${has}`,
    ],
  ])("%j is refused", async (options, text) => {
    writeColumns();
    await refused(options, text, "ERR_LOGITS_COLUMN");
  });

  test("a column that is copied twice is refused", async () => {
    writeColumns();
    const options = { columns: "other", keep: ["other", "o*"] };
    await expect(run(options)).rejects.toMatchObject({
      code: "ERR_USAGE",
      message: "keep: other is given twice",
    });
  });
});

describe("a name that occurs twice is refused", () => {
  const NAMES = ["l_0", "l_1", "l_1"];
  const columnsTwice =
    "--columns l_*: two columns are named l_1; give each class a name of its own";

  test("columns of Arrow and Parquet files, and fields of a struct", async () => {
    writeResults(
      input,
      NAMES.map((name, k) => [name, new Float64(), [k, 2 * k]]),
      null,
    );
    await refused({ columns: "l_*" }, columnsTwice, "ERR_LOGITS_COLUMN");
    const page = { version: 1 as const, values: 2, repetition: [] };
    const pages = [{ ...page, definition: [4, 1], data: [1, 2] }];
    const columns = NAMES.map((name) => ({
      ...{ schema: flatSchema(name), pages, values: 2 },
    }));
    write(parquetFile(columns, { rows: 2 }));
    await refused({ columns: "l_*" }, columnsTwice, "ERR_LOGITS_COLUMN");
    const fields = ["a", "b", "a"].map(
      (name) => new Field(name, new Float64()),
    );
    const struct = new Struct(fields);
    writeResults(input, [["z", struct, [{ a: 0, b: 1 }]]], null);
    await refused(
      {},
      "two fields of column z are named a; give each class a name of its own",
      "ERR_LOGITS_COLUMN",
    );
  });

  test.each([
    ['{"a":T,"b":T,"a":T}', "a"],
    ['{"a":T,"\\u0061":T}', "a"],
    ['{"a":{"dtype":"F64","shape":[1],"shape":[1,2]}}', "shape"],
  ])("keys of a safetensors header: %s", async (template, key) => {
    const tensor = '{"dtype":"F64","shape":[1,2],"data_offsets":[0,16]}';
    const header = template.replaceAll("T", tensor);
    write(safetensorsFile(header, Buffer.alloc(16)));
    const message = `header: the key ${key} appears twice`;
    await refused({ column: "a" }, message, "ERR_INPUT_FORMAT");
  });
});
