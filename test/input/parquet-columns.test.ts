import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import {
  type Column,
  flatSchema,
  listSchema,
  parquetFile,
} from "../support/parquet-file.js";

// The decoder gets only the columns that a run reads: it refuses whole files for others.

const at = workDirectory();
const input = at("in.parquet");
const output = at("out.arrow");

/** Two rows of lists of three doubles: levels 0 1 1 0 1 1, bit-packed; and six times level 3. */
const logits: Column = {
  schema: listSchema("optional"),
  pages: [
    {
      version: 1,
      values: 6,
      repetition: [3, 0b110110],
      definition: [12, 3],
      data: [0, 1, 2, 0.5, -1, 3],
    },
  ],
  values: 6,
};
const numbers: Column = {
  schema: flatSchema("x"),
  pages: [
    {
      version: 1,
      values: 2,
      repetition: [],
      definition: [4, 1],
      data: [7, 8],
    },
  ],
  values: 2,
};

const DOUBLE = 5;
const OTHERS: [name: string, other: Column][] = [
  [
    "no repetition in the schema",
    { ...numbers, schema: [{ 1: DOUBLE, 4: "x" }] },
  ],
  [
    "statistics of another type than the format's",
    { ...numbers, metadata: { 16: { 2: [1, 1] } } },
  ],
  ["an unknown codec", { ...numbers, metadata: { 4: 77 } }],
  ["pages outside the file", { ...numbers, metadata: { 9: 1e9 } }],
  [
    "damaged levels",
    {
      ...numbers,
      pages: numbers.pages.map((page) => ({ ...page, definition: [4, 9] })),
    },
  ],
];

test.each(OTHERS)("another column with %s", async (_, other) => {
  writeFileSync(input, parquetFile([other, logits], { rows: 2 }));
  await built.run({
    input,
    output,
    emit: ["softmax"],
    dtype: "float64",
    force: true,
  });
  const rows = [...tableFromIPC(readFileSync(output)).getChild("softmax")];
  const flat = Float64Array.of(0, 1, 2, 0.5, -1, 3);
  const expected = built.softmax(flat, { rows: 2, classes: 3 });
  expect(rows.flatMap((row) => [...row])).toEqual([...expected]);
  const { columns, ...found } = await built.inspect({ input });
  expect(columns.map(({ name, type }) => [name, type])).toEqual([
    ["x", "float64"],
    ["logits", "list<float64>"],
  ]);
  expect([found.rows, found.logits?.column]).toEqual([2, "logits"]);
});
