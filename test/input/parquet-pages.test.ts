import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { inputRuns, rows } from "../support/input-runs.js";
import {
  type Column,
  flatSchema,
  listSchema,
  type Page,
  parquetFile,
} from "../support/parquet-file.js";

// Parquet files with one wrong number. The decoder reads values whose level is above that of the schema as zeros without an
// error, so levels are checked before; it refuses most other damage.

const { input, valuesOf, refusal } = inputRuns();
const LOGITS = [0, 1, 2, 0.5, -1, 3];
const VERSIONS = [1, 2] as const;

/** Two rows of three values: levels 0 1 1 0 1 1, bit-packed; and six times level 3, as a run. */
const sound = {
  values: 6,
  rows: 2,
  nulls: 0,
  repetition: [3, 0b110110],
  definition: [12, 3],
  data: LOGITS,
};

function lists(page: Partial<Page> = {}, changed: Partial<Column> = {}) {
  const pages = [{ version: 1 as const, ...sound, ...page }];
  return { schema: listSchema("optional"), pages, values: 6, ...changed };
}

const fileOf = (column: Column, codec = 0) =>
  parquetFile([column], { rows: 2, codec });

async function expectRows(
  file: Buffer,
  rows: number[][],
  options = {},
): Promise<void> {
  const shape = { rows: rows.length, classes: rows[0]?.length as number };
  const expected = built.softmax(Float64Array.from(rows.flat()), shape);
  const emit = { emit: ["softmax"], dtype: "float64" };
  const found = await valuesOf(file, "softmax", { ...emit, ...options });
  expect(found.flat()).toEqual([...expected]);
}

const [FIRST, SECOND] = [LOGITS.slice(0, 3), LOGITS.slice(3)];
const AGAIN = "; copy or write the file again";
const GROUP = "ERR_INPUT_FORMAT file: row group 0:";
const DECLARED = "6 definition levels as declared in the page header, found";
const LONGER = "bytes of levels, the size of the page, found";

test.each<[text: string, page: Partial<Page>, schema?: "required"]>([
  ["definition levels of at most 3, found 64", { definition: [12, 64] }],
  [
    "definition levels of at most 2, found 3",
    { definition: [3, 0b11_10_10_10, 0b1010] },
    "required",
  ],
  ["repetition levels of at most 1, found 2", { repetition: [4, 0, 8, 2] }],
  [`${DECLARED} 5`, { definition: [10, 3] }],
  [`${DECLARED} 0`, { definition: [3, 0xff] }],
  [`${DECLARED} 0`, { definition: [12] }],
  [`${DECLARED} 0`, { definition: Array(6).fill(255) }],
  ["0 or more values, found -1", { values: -1 }],
])("page: expected %s", async (text, page, schema) => {
  for (const version of VERSIONS) {
    const changed = schema ? { schema: listSchema(schema) } : {};
    expect(await refusal(fileOf(lists({ version, ...page }, changed)))).toBe(
      `${GROUP} column logits, page 0: expected ${text}${AGAIN}`,
    );
  }
});

test.each<[text: string, page: Partial<Page>]>([
  [`at most 60 ${LONGER} 1010`, { version: 1, definitionBytes: 1000 }],
  [`at most 52 ${LONGER} 1002`, { version: 2, definitionBytes: 1000 }],
  [
    "0 or more bytes of definition levels, found -1",
    { version: 2, definitionBytes: -1 },
  ],
  ["repetition levels encoded as RLE, found encoding 4", { levelEncoding: 4 }],
])("levels: expected %s", async (text, page) => {
  expect(await refusal(fileOf(lists(page)))).toBe(
    `${GROUP} column logits, page 0: expected ${text}${AGAIN}`,
  );
});

test.each<[page: string, changed: Partial<Page>]>([
  ["sound", {}],
  ["with a definition level too many", { definition: [14, 3] }],
  ["with a byte after the levels", { definition: [12, 3, 0] }],
  ["with other rows in the header of version 2", { rows: 3 }],
])("a page %s is read", async (_, changed) => {
  for (const version of VERSIONS)
    await expectRows(fileOf(lists({ version, ...changed })), [FIRST, SECOND]);
});

const DECODER =
  /^ERR_INPUT_FORMAT file: Parquet data: could not be decoded: it is damaged/;

test.each<[page: string, changed: Partial<Page>]>([
  ["values before the first row", { repetition: [3, 0b110111] }],
  ["other nulls in the header", { version: 2, nulls: 1 }],
])("the decoder refuses %s", async (_, changed) => {
  expect(await refusal(fileOf(lists(changed)))).toMatch(DECODER);
});

test.each([
  ["Snappy", 1],
  ["GZIP", 2],
  ["Brotli", 4],
  ["LZ4 in Hadoop frames", 5],
  ["Zstandard", 6],
  ["LZ4", 7],
])("levels in pages compressed with %s", async (_, codec) => {
  // Version 2 does not compress levels, so one codec is enough.
  for (const version of codec === 1 ? VERSIONS : [1 as const]) {
    await expectRows(fileOf(lists({ version }), codec), [FIRST, SECOND]);
    const damaged = lists({ version, definition: [12, 64] });
    expect(await refusal(fileOf(damaged, codec))).toBe(
      `${GROUP} column logits, page 0: expected definition levels of at most 3, found 64${AGAIN}`,
    );
  }
});

test("the message names the column and the page", async () => {
  const page = (definition: number[]): Page => ({
    ...{ version: 1, values: 3, repetition: [], definition, data: [1, 2, 3] },
  });
  const flat = (second: number[]) =>
    parquetFile(
      [[6, 1], second].map((levels, k) => ({
        schema: flatSchema("ab".charAt(k)),
        pages: [page([6, 1]), page(levels)],
        values: 6,
      })),
      { rows: 6 },
    );
  const columns = "*";
  const rows = [1, 2, 3, 1, 2, 3].map((value) => [value, value]);
  await expectRows(flat([6, 1]), rows, { columns });
  expect(await refusal(flat([6, 2]), { columns })).toBe(
    `${GROUP} column b, page 1: expected definition levels of at most 1, found 2${AGAIN}`,
  );
});

test("other counts in the footer than in the pages", async () => {
  expect(await refusal(fileOf(lists({}, { values: 7 })))).toBe(
    `${GROUP} column logits: expected 7 values as declared in the footer, found 6${AGAIN}`,
  );
  expect(await refusal(parquetFile([lists()], { rows: 3 }))).toBe(
    `${GROUP} expected 3 rows as declared in the footer, found 2${AGAIN}`,
  );
});

test.each(VERSIONS)(
  "dictionary indices in pages of version %i",
  async (version) => {
    const fileWith = (indices: number[], dictionary = LOGITS) =>
      fileOf(lists({ version, indices }, { dictionary }));
    const five = LOGITS.slice(0, 5);
    // Indices of 3 bits: a run of six; a run of two and one of four; eight packed indices, of which six count.
    await expectRows(fileWith([3, 12, 4], five), rows("-1 -1 -1; -1 -1 -1"));
    await expectRows(fileWith([3, 4, 5, 8, 1]), rows("3 3 1; 1 1 1"));
    const packed = fileWith([3, 3, 0b10001000, 0b11000110, 0b11111010]);
    await expectRows(packed, [FIRST, SECOND]);
    for (const index of version === 1 ? [5, 200] : [7])
      expect(await refusal(fileWith([3, 12, index], five))).toMatch(DECODER);
    const early = [[], [0], [3], [3, 0, 0], [3, 4, 5], [3, 3, 0b10001000]];
    for (const indices of [...early, [3, 4, 5, 0, 0, 8, 1], [33, 12, 0]])
      expect(await refusal(fileWith(indices))).toMatch(DECODER);
  },
);

const otherPage: Page = {
  ...{
    version: 1,
    values: 2,
    repetition: [],
    definition: [4, 1],
    data: [7, 8],
  },
};
const other = { schema: flatSchema("x"), pages: [otherPage], values: 2 };

// The decoder gets only the columns that a run reads, because it refuses whole files for others.
test.each<[damage: string, changed: Partial<Column>]>([
  ["no repetition in the schema", { schema: [{ 1: 5, 4: "x" }] }],
  ["statistics of a wrong type", { metadata: { 16: { 2: [1, 1] } } }],
  ["an unknown codec", { metadata: { 4: 77 } }],
  ["pages outside the file", { metadata: { 9: 1e9 } }],
  ["damaged levels", { pages: [{ ...otherPage, definition: [4, 9] }] }],
])("another column with %s", async (_, changed) => {
  const file = parquetFile([{ ...other, ...changed }, lists()], { rows: 2 });
  await expectRows(file, [FIRST, SECOND]);
  writeFileSync(input, file);
  expect(await built.inspect({ input })).toMatchObject({
    columns: [
      { name: "x", type: "float64" },
      { name: "logits", type: "list<float64>" },
    ],
    rows: 2,
    logits: { column: "logits" },
  });
});
