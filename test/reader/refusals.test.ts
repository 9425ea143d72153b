import { readFileSync, writeFileSync } from "node:fs";
import { Field, Float64, Int32, Int64, List, Utf8 } from "apache-arrow";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import {
  cooFile,
  csrFile,
  type ResultsFile,
  type SparseExamples,
  twoBlocks,
  writeResults,
} from "../support/results-file.js";

const at = workDirectory();
const input = at("in");
const output = at("out");
writeLogits(input, { rows: 5, classes: 3, logit: (r, k) => r - k });
await built.run({ input, output });
const path = at("file");

/** Writes a file, opens it, and reads blocks; returns the code and message of the error, without the path. */
async function errorOf(
  file: ResultsFile | string,
  options: object = {},
  rows: readonly number[] = [0],
): Promise<string> {
  if (typeof file !== "string") writeResults(path, file);
  const from = typeof file === "string" ? file : path;
  try {
    await using reader = await built.openJacobian(from, options as never);
    for (const row of rows) await reader.block(row);
    return "none";
  } catch (error) {
    const { code, message, option = "" } = error as Record<string, string>;
    expect(message).toContain(option);
    expect(option !== "").toBe(code === "ERR_USAGE");
    return `${code} ${message?.replace(from, "file")}`;
  }
}

test.each([
  [{ row: 0.5 }, "row: expected a whole number, found 0.5"],
  [{ i: 3 }, "i: expected a class from 0 to 2, found 3"],
  [{ j: -1 }, "j: expected a class from 0 to 2, found -1"],
  [{ j: Number.NaN }, "j: expected a class from 0 to 2, found NaN"],
  [{ v: [1, 2] }, "v: expected 3 numbers, found 2"],
  [{ v: [1, 2, Infinity] }, "v: expected finite numbers, found Infinity at 2"],
  [{ v: undefined }, "v: expected 3 numbers, found nothing"],
  [{ v: ["1", 2, 3] }, 'v: expected finite numbers, found "1" at 0'],
])("arguments %o", async (wrong, message) => {
  const { row, i, j } = { row: 1, i: 0, j: 0, ...wrong };
  await using reader = await built.openJacobian(output);
  const called =
    "v" in wrong
      ? reader.multiply(row, wrong.v as number[])
      : reader.entry(row, i, j);
  await expect(called).rejects.toMatchObject({ code: "ERR_USAGE", message });
});

test("missing rows, indices beyond a batch, and a closed reader", async () => {
  await using reader = await built.openJacobian(output);
  await expect(reader.block(5)).rejects.toMatchObject({
    code: "ERR_ROW_MISSING",
    message: `${output}: row 5: the file has 5 examples of rows 0 to 4, but not this row`,
  });
  for await (const batch of reader)
    await expect(batch.block(5)).rejects.toThrow(
      "k: expected an example from 0 to 4, found 5",
    );
  await reader[Symbol.asyncDispose]();
  await expect(reader.block(0)).rejects.toThrow("the reader is closed");
});

test.each([
  [
    { class: 3 },
    "unknown option class; the options are classes, layout, rows, temperature, result",
  ],
  [
    { classes: 0 },
    "classes: expected a whole number from 1 to 94906265, found 0",
  ],
  [
    { layout: "bcsr" },
    'layout: expected bsr or packed or csr or coo or factored or dense, found "bcsr"',
  ],
  [
    { classes: 4 },
    "classes: expected 3 as in softjac.classes of file, found 4",
  ],
  [
    { layout: "coo" },
    'layout: expected bsr as in softjac.layout of file, found "coo"',
  ],
  [
    { temperature: 2 },
    "temperature: expected 1 as in softjac.temperature of file, found 2",
  ],
  [{ result: "log_jacobian" }, "result: file has no result log_jacobian"],
])("options %o", async (options, message) => {
  expect(await errorOf(output, options)).toBe(`ERR_USAGE ${message}`);
});

test.each([
  [
    { classes: "4" },
    "column jacobian: expected lists of 16 values for 4 classes in layout bsr (from softjac.layout, softjac.classes or the options), found lists of 9",
  ],
  [
    { layout: "packed" },
    "column jacobian: expected lists of 6 values for 3 classes in layout packed (from softjac.layout, softjac.classes or the options), found lists of 9",
  ],
  [
    { layout: "csr" },
    "schema: expected columns indices, values for layout csr (from softjac.layout or the option), found row: int64, jacobian: fixed_size_list<float64>[9]",
  ],
  [
    { rows: "1" },
    "column row: expected row numbers below 1 (from softjac.rows or the option), found 1",
  ],
  [
    { dtype: "float32" },
    "column jacobian: expected float32 as in softjac.dtype, found float64",
  ],
  [
    { classes: "three" },
    'metadata: expected a whole number from 1 to 94906265 as softjac.classes, found "three"',
  ],
  [
    { temperature: "0" },
    'metadata: expected a number above 0 as softjac.temperature, found "0"',
  ],
])("metadata %o of lists of 9 values", async (stated, message) => {
  const metadata = Object.fromEntries(
    Object.entries({ layout: "bsr", classes: "3", ...stated }).map(
      ([key, value]) => [`softjac.${key}`, value],
    ),
  );
  const found = await errorOf({ columns: twoBlocks(9), metadata });
  expect(found).toBe(`ERR_INPUT_FORMAT file: ${message}`);
});

const metadata = { "softjac.classes": "3", "softjac.rows": "9" };
const examples: SparseExamples = Array.from({ length: 4 }, (_, row) => ({
  row,
  entries: { indices: [0, 4], values: [1 + row, 2] },
}));
const [row, lists] = twoBlocks(4);
const [, values, ...others] = csrFile(examples);
const ints = [0, 0, 0, 0, 0];

test.each<[string, string, ResultsFile["columns"], object?, number[]?]>([
  [
    "lists without a layout",
    "ERR_USAGE layout: file has no softjac.layout; give the layout of column jacobian as an option",
    twoBlocks(36),
    { classes: 6 },
  ],
  [
    "csr without the number of classes",
    "ERR_USAGE classes: file has no softjac.classes; give the number of classes as an option",
    csrFile(examples),
  ],
  [
    "coo without the number of classes",
    "ERR_USAGE classes: file has no softjac.classes; give the number of classes as an option",
    cooFile(examples, 3),
  ],
  [
    "blocks of text",
    "ERR_INPUT_UNSUPPORTED file: column jacobian: expected fixed_size_list or list of float32 or float64, found utf8",
    [row, ["jacobian", new Utf8(), ["a", "b"]]],
    { layout: "bsr", classes: 1 },
  ],
  [
    "row numbers of float64",
    "ERR_INPUT_UNSUPPORTED file: column row: expected whole numbers, found float64",
    [["row", new Float64(), [0, 1]], lists],
  ],
  ["a sound file", "none", csrFile(examples), { classes: 3 }, [0, 1, 2, 3]],
  [
    "fewer row numbers than rows",
    "ERR_INPUT_FORMAT file: record batch 0: column row: expected 4 ascending row numbers from 0 or more, found 0 first and 2 last",
    [["row", new Int64(), [0n, 1n, 2n, 2n]], ...csrFile(examples).slice(1)],
    { classes: 3 },
  ],
  [
    "row numbers of coo that do not ascend",
    "ERR_INPUT_FORMAT file: record batch 0: column row: expected ascending row numbers from 3 to 4, found 2",
    [
      ["row", new Int64(), [0n, 1n, 3n, 2n, 4n]],
      ["i", new Int32(), ints],
      ["j", new Int32(), ints],
      ["value", new Float64(), [1, 2, 3, 4, 5]],
    ],
    { classes: 2 },
    [3],
  ],
  [
    "a null in a list of values",
    "ERR_INPUT_FORMAT file: record batch 0: column values: expected a number, found null at value 5",
    [
      ...csrFile(examples).slice(0, 1),
      [
        values?.[0] as string,
        new List(new Field("item", new Float64(), true)),
        examples.map(({ row }) => [1 + row, row === 2 ? null : 2]),
      ],
      ...others,
    ],
    { classes: 3 },
    [1, 2],
  ],
])("%s", async (_, message, columns, options, rows) => {
  expect(await errorOf({ columns }, options, rows)).toBe(message);
});

test.each(["csr", "coo"])("invalid indices of %s", async (layout) => {
  for (const indices of [
    [3, 36],
    [-1, 3],
    [7, 7],
    [9, 8],
  ]) {
    const wrong = [{ row: 0, entries: { indices, values: [1, 2] } }];
    const columns = layout === "csr" ? csrFile(wrong) : cooFile(wrong, 6);
    const found = await errorOf({ columns }, { classes: 6 });
    expect(found).toMatch(
      /^ERR_INPUT_FORMAT file: record batch 0: column \w+: expected ascending indices/,
    );
    await using reader = await built.openJacobian(path, { classes: 6 });
    await expect(reader.entry(0, 1, 1)).rejects.toThrow(built.InputFormatError);
  }
});

test("missing files, inputs, and outputs without blocks", async () => {
  const softmax = at("softmax");
  await built.run({ input, output: softmax, emit: ["softmax"] });
  expect(await errorOf(at("none"))).toMatch("ERR_INPUT_MISSING file");
  expect(await errorOf(input)).toBe(
    "ERR_INPUT_UNSUPPORTED file: schema: expected one column row, found logits: fixed_size_list<float64>[3]",
  );
  expect(await errorOf(softmax)).toBe(
    "ERR_INPUT_UNSUPPORTED file: schema: expected a column jacobian or log_jacobian, or columns indices and values, or i, j and value, or softmax, argmax and tail, found row: int64, softmax: fixed_size_list<float64>[3]",
  );
});

test("the shape of a tensor differs from its lists", async () => {
  const bytes = readFileSync(output).toString("latin1");
  const wrong = bytes.replaceAll('"shape":[3,3]', '"shape":[3,4]');
  expect(wrong).not.toBe(bytes);
  writeFileSync(path, wrong, "latin1");
  expect(await errorOf(path)).toBe(
    'ERR_INPUT_FORMAT file: column jacobian: expected a tensor of shape 3 x 3, not permuted, found {"shape":[3,4],"dim_names":["i","j"]}',
  );
});

test.each([
  [
    4000,
    false,
    "force: expected a dense tensor of at most 1073741824 bytes, found 4000 x 3 x 4000 x 3: 1152000000 bytes; read its diagonal blocks one by one, or use force",
  ],
  [
    400_000,
    true,
    "memory: 1440000000000 values of float64 do not fit in memory",
  ],
])("a dense tensor of %i rows, force %s", async (rows, force, message) => {
  writeResults(path, { columns: twoBlocks(9) });
  const options = { layout: "bsr", classes: 3, rows } as const;
  await using reader = await built.openJacobian(path, options);
  await expect(reader.toDense({ force })).rejects.toMatchObject({
    code: "ERR_USAGE",
    option: force ? undefined : "force",
    message,
  });
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
  writeResults(path, { columns: csrFile(examples), metadata });
  descend(path, [0, 2, 4, 6, 8]);
  expect(await errorOf(path, {}, [1])).toMatch(
    /^ERR_INPUT_FORMAT file: record batch 0: column (values|indices): expected ascending offsets from 0 to 8, found 2 and 1 for row 1 of the batch$/,
  );
  const [few, csr] = [at("few"), at("csr")];
  writeLogits(few, { rows: 4, classes: 2, logit: (r, k) => r - k });
  await built.run({ input: few, output: csr, layout: "csr" });
  descend(csr, [0, 4, 8, 12, 16]);
  await expect(
    built.verify({ input: few, output: csr, all: true }),
  ).rejects.toMatchObject({
    code: "ERR_INPUT_FORMAT",
    message: expect.stringMatching(
      /: record batch 0: column \w+: expected ascending offsets from 0 to 16, found 4 and 1 for row 1 of the batch$/,
    ),
  });
});
