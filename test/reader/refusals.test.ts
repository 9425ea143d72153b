import { readFileSync, writeFileSync } from "node:fs";
import { Field, Float64, Int32, Int64, List } from "apache-arrow";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { rows } from "../support/input-runs.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { pairsOf } from "../support/pairs-of.js";
import { refused } from "../support/refused.js";
import {
  type Column,
  type SparseExamples,
  sparseColumns,
  twoBlocks,
  writeResults,
} from "../support/results-file.js";

const at = workDirectory();
const input = at("in");
const output = at("out");
writeLogits(input, { rows: 5, classes: 3, logit: (r, k) => r - k });
await built.run({ input, output });
const path = at("file");

/** Opens a file and reads blocks; returns the code and message of the error, without the path. */
async function errorOf(
  file: string,
  options: object = {},
  rows: readonly number[] = [0],
): Promise<string> {
  try {
    await using reader = await built.openJacobian(file, options as never);
    for (const row of rows) await reader.block(row);
    return "none";
  } catch (error) {
    const { code, message, option = "" } = error as Record<string, string>;
    expect(message).toContain(option);
    expect(option !== "").toBe(code === "ERR_USAGE");
    return `${code} ${message?.replace(file, "file")}`;
  }
}

test.each([
  [{ row: 0.5 }, "row: expected a whole number, found 0.5"],
  [{ i: 3 }, "i: expected a class from 0 to 2, found 3"],
  [{ j: -1 }, "j: expected a class from 0 to 2, found -1"],
  [{ j: Number.NaN }, "j: expected a class from 0 to 2, found NaN"],
])("arguments %o", async (wrong, message) => {
  const { row, i, j } = { row: 1, i: 0, j: 0, ...wrong };
  await using reader = await built.openJacobian(output);
  await refused(reader.entry(row, i, j), "ERR_USAGE", message);
});

test("indices beyond a batch", async () => {
  await using reader = await built.openJacobian(output);
  for await (const batch of reader)
    await expect(batch.block(5)).rejects.toThrow(
      "k: expected an example from 0 to 4, found 5",
    );
});

test.each(
  pairsOf(`
{"layout":"bsr"}
unknown option layout; the only option is result, because outputs of softjac record everything else
{"result":"both"}
result: expected one of jacobian, log_jacobian, found "both"
{"result":"log_jacobian"}
result: file has no result log_jacobian
`),
)("options %s: %s", async (options, message) => {
  const found = await errorOf(output, JSON.parse(options));
  expect(found).toBe(`ERR_USAGE ${message}`);
});

const LISTS = "schema: column jacobian: expected fixed_size_list";
test.each(
  pairsOf(`
{"classes":4}
${LISTS}<float64>[16], found fixed_size_list<float64>[9]
{"layout":"packed"}
${LISTS}<float64>[6], found fixed_size_list<float64>[9]
{"layout":"csr"}
schema: column indices: expected list<int32>, found no such column
{"rows":1}
column row: expected row numbers below 1 (from softjac.rows), found 1
{"dtype":"float32"}
${LISTS}<float32>[9], found fixed_size_list<float64>[9]
{"classes":"three"}
metadata: expected a whole number from 1 to 94906265 as softjac.classes, found "three"
{"temperature":0}
metadata: expected a number above 0 as softjac.temperature, found "0"
{"version":"0.1.0"}
metadata: the file was written by softjac 0.1.0; write it again with this version
`),
)("metadata %s of lists of 9 values: %s", async (stated, message) => {
  writeResults(path, twoBlocks(9), { rows: 2, ...JSON.parse(stated) });
  const code = stated.includes("version") ? "UNSUPPORTED" : "FORMAT";
  expect(await errorOf(path)).toBe(`ERR_INPUT_${code} file: ${message}`);
});

const examples: SparseExamples = Array.from({ length: 4 }, (_, row) => ({
  row,
  entries: { indices: [0, 4], values: [1 + row, 2] },
}));
const [, lists] = twoBlocks(9);
const csr = sparseColumns("csr", examples, 3);
const [rowsOfCsr, values, ...others] = csr as [Column, Column, ...Column[]];
const ints = [0, 0, 0, 0, 0];
const withNull = examples.map(({ row }) => [1 + row, row === 2 ? null : 2]);
const nullable = new List(new Field("item", new Float64(), true));
const coo: Column[] = [
  ["row", new Int64(), [0n, 1n, 3n, 2n, 4n]],
  ["i", new Int32(), ints],
  ["j", new Int32(), ints],
  ["value", new Float64(), [1, 2, 3, 4, 5]],
];
type Damage = ["bsr" | "csr" | "coo", Column[], rows?: number[]];

/** Damaged outputs by what the message contains. */
const DAMAGED: Record<string, Damage> = {
  "schema: column row: expected int64, found float64": [
    "bsr",
    [["row", new Float64(), [0, 1]], lists],
  ],
  "record batch 0: column row: expected 4 ascending row numbers from 0 or more, found 0 first and 2 last":
    ["csr", [["row", new Int64(), [0n, 1n, 2n, 2n]], values, ...others]],
  "record batch 0: column row: expected ascending row numbers from 3 to 4, found 2":
    ["coo", coo, [3]],
  "record batch 0: column values: expected a number, found null at value 5": [
    "csr",
    [rowsOfCsr, [values[0], nullable, withNull], ...others],
    [1, 2],
  ],
  "row 0: expected a number for each entry, found NaN or null": [
    "coo",
    [
      ["row", new Int64(), [0n, 0n]],
      ["i", new Int32(), [0, 0]],
      ["j", new Int32(), [0, 1]],
      ["value", new Float64(), [1, null]],
    ],
  ],
};
const indices = rows("3 36; -1 3; 7 7; 9 8").flatMap((indices) => {
  const wrong = [{ row: 0, entries: { indices, values: [1, 2] } }];
  return (["csr", "coo"] as const).map((layout): [string, Damage] => [
    "expected ascending indices",
    [layout, sparseColumns(layout, wrong, 3)],
  ]);
});

test.each([...Object.entries(DAMAGED), ...indices])(
  "%s",
  async (message, [layout, columns, rows]) => {
    writeResults(path, columns, { layout, rows: 9 });
    const error = await errorOf(path, {}, rows);
    expect(error).toMatch(/^ERR_INPUT_FORMAT file: /);
    expect(error).toContain(message);
  },
);

test("entries of another row among those of a row, in two record batches", async () => {
  const rows = [3n, 4n, 3n, 3n, 8n];
  const columns = [["row", new Int64(), rows] as Column, ...coo.slice(1)];
  writeResults(path, columns, { layout: "coo", rows: 9, classes: 3 }, [2, 3]);
  expect(await errorOf(path, {}, [3])).toMatch(
    "expected ascending row numbers, found 4 among the entries of row 3",
  );
});

test("missing files, inputs, and outputs without blocks", async () => {
  const softmax = at("softmax");
  await built.run({ input, output: softmax, emit: ["softmax"] });
  expect(await errorOf(at("none"))).toMatch("ERR_INPUT_MISSING file");
  expect(await errorOf(input)).toBe(
    "ERR_INPUT_FORMAT file: metadata: softjac.layout is missing, so this is not an output of softjac",
  );
  expect(await errorOf(softmax)).toBe(
    "ERR_INPUT_UNSUPPORTED file: metadata: the output has no blocks, only softmax; softjac run --emit jacobian writes them",
  );
});

const FORCE =
  "force: expected a dense tensor of at most 1073741824 bytes, found 4000 x 3 x 4000 x 3: 1152000000 bytes; read its diagonal blocks one by one, or use force";
const MEMORY = "memory: 1440000000000 values of float64 do not fit in memory";
test.each([
  [4000, false, FORCE, "force"],
  [400_000, true, MEMORY, undefined],
])("a dense tensor of %i rows, force %s", async (...row) => {
  const [rows, force, message, option] = row;
  writeResults(path, twoBlocks(9), { rows });
  await using reader = await built.openJacobian(path);
  await refused(reader.toDense({ force }), "ERR_USAGE", message, { option });
});

/** Makes the third of the offsets in a file smaller than the second. */
function descend(file: string, offsets: number[]): void {
  const bytes = readFileSync(file);
  const old = Buffer.from(Int32Array.from(offsets).buffer);
  const found = [bytes.indexOf(old), bytes.lastIndexOf(old)] as const;
  expect(found[0]).toBeGreaterThan(0);
  for (const place of found) bytes.writeInt32LE(1, place + 8);
  writeFileSync(file, bytes);
}

test("offsets of lists that descend, for the reader and for verify", async () => {
  const csr = at("csr");
  writeLogits(input, { rows: 4, classes: 2, logit: (r, k) => r - k });
  await built.run({ input, output: csr, layout: "csr" });
  descend(csr, [0, 4, 8, 12, 16]);
  const message =
    /record batch 0: column \w+: expected ascending offsets from 0 to 16, found 4 and 1 for row 1 of the batch$/;
  expect(await errorOf(csr, {}, [1])).toMatch(message);
  const verified = built.verify({ input, output: csr, all: true });
  await refused(verified, "ERR_INPUT_FORMAT", message);
});

test("outputs of commands that sum rows", async () => {
  const sums = at("sums");
  const EXPECTED = {
    "one of softjac reduce; read it with an Arrow library, such as pyarrow or polars": false,
    "partial sums; merge them with softjac merge": true,
  };
  for (const [found, partial] of Object.entries(EXPECTED)) {
    const options = { inputs: [input], output: sums, partial, force: true };
    await built.reduce(options);
    expect(await errorOf(sums)).toBe(
      `ERR_INPUT_FORMAT file: metadata: expected an output of softjac run, found ${found}`,
    );
  }
});

test("arguments of part and toDense that are not of their types", async () => {
  await using reader = await built.openJacobian(output);
  for (const [classes, found] of [
    [undefined, "nothing"],
    [3, "3"],
    [new Set([0]), "an object of type Set"],
  ] as const)
    await refused(
      reader.part(0, classes as never),
      "ERR_USAGE",
      `classes: expected an array of classes, found ${found}`,
      { option: "classes" },
    );
  await refused(
    reader.toDense({ forced: true } as never),
    "ERR_USAGE",
    "unknown option forced; the options are force",
    { option: "forced" },
  );
  await refused(
    reader.toDense({ force: "yes" } as never),
    "ERR_USAGE",
    'force: expected true or false, found "yes"',
    { option: "force" },
  );
});
