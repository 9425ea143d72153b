import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import {
  type Column,
  flatSchema,
  listSchema,
  type Page,
  parquetFile,
} from "../support/parquet-file.js";

// Parquet's decoder reads values whose level is above the schema's as zeros, without an error; most other damage it refuses.

const at = workDirectory();
const input = at("levels.parquet");
const output = at("out.arrow");

const LOGITS = [0, 1, 2, 0.5, -1, 3];
const VERSIONS = [1, 2] as const;

/** Two rows of three values: 0 1 1 0 1 1, bit-packed; and six times level 3, as a run. */
const sound: Omit<Page, "version"> = {
  values: 6,
  rows: 2,
  nulls: 0,
  repetition: [3, 0b110110],
  definition: [12, 3],
  data: LOGITS,
};

function lists(page: Page, changed: Partial<Column> = {}): Column[] {
  return [
    { schema: listSchema("optional"), pages: [page], values: 6, ...changed },
  ];
}

async function runOn(
  file: Uint8Array,
  options: { columns?: string } = {},
): Promise<string | number[][]> {
  writeFileSync(input, file);
  try {
    await built.run({
      input,
      output,
      emit: ["softmax"],
      dtype: "float64",
      force: true,
      ...options,
    });
  } catch (error) {
    if (!(error instanceof built.SoftjacError)) throw error;
    return `${error.code} ${error.message.replace(input, "file")}`;
  }
  const table = tableFromIPC(readFileSync(output));
  return [...table.getChild("softmax")].map((row) => [...row]);
}

function softmaxOf(values: number[], classes: number): number[][] {
  const rows = values.length / classes;
  const flat = built.softmax(Float64Array.from(values), { rows, classes });
  return Array.from({ length: rows }, (_, r) => [
    ...flat.subarray(r * classes, (r + 1) * classes),
  ]);
}

const AGAIN = "; copy or write the file again";
const where = "ERR_INPUT_FORMAT file: row group 0: column logits";

test.each(VERSIONS)("sound pages of version %i", async (version) => {
  expect(
    await runOn(parquetFile(lists({ version, ...sound }), { rows: 2 })),
  ).toEqual(softmaxOf(LOGITS, 3));
});

const PAGES: [string, Partial<Page>, string][] = [
  [
    "a definition level above the schema's",
    { definition: [12, 64] },
    "expected definition levels of at most 3, found 64",
  ],
  [
    "a repetition level above the schema's",
    { repetition: [4, 0, 8, 2] },
    "expected repetition levels of at most 1, found 2",
  ],
  [
    "a definition level too few",
    { definition: [10, 3] },
    "expected 6 definition levels as declared in the page header, found 5",
  ],
  [
    "bit-packed levels that are cut",
    { definition: [3, 0xff] },
    "expected 6 definition levels as declared in the page header, found 0",
  ],
  [
    "a run that has no level",
    { definition: [12] },
    "expected 6 definition levels as declared in the page header, found 0",
  ],
  [
    "a run that has no end",
    { definition: [255, 255, 255, 255, 255, 255] },
    "expected 6 definition levels as declared in the page header, found 0",
  ],
  [
    "a negative number of values",
    { values: -1 },
    "expected 0 or more values, found -1",
  ],
];

// The two page versions differ only in the place of the levels, so each version gets every second case of damage.
test.each(PAGES.map((page, k) => [VERSIONS[k % 2], ...page] as const))(
  "version %i: %s",
  async (version = 1, _, changed, text) => {
    const columns = lists({ version, ...sound, ...changed });
    expect(await runOn(parquetFile(columns, { rows: 2 }))).toBe(
      `${where}, page 0: ${text}${AGAIN}`,
    );
  },
);

test("a bit-packed level above the schema's", async () => {
  const page = { ...sound, definition: [3, 0b11_10_10_10, 0b1010] };
  for (const version of VERSIONS) {
    const columns = lists(
      { version, ...page },
      { schema: listSchema("required") },
    );
    expect(await runOn(parquetFile(columns, { rows: 2 }))).toBe(
      `${where}, page 0: expected definition levels of at most 2, found 3${AGAIN}`,
    );
  }
});

test.each<[string, Page, string]>([
  [
    "longer than the page",
    { version: 1, ...sound, definitionBytes: 1000 },
    "expected at most 60 bytes of levels, the size of the page, found 1010",
  ],
  [
    "longer than the page of version 2",
    { version: 2, ...sound, definitionBytes: 1000 },
    "expected at most 52 bytes of levels, the size of the page, found 1002",
  ],
  [
    "of a negative length",
    { version: 2, ...sound, definitionBytes: -1 },
    "expected 0 or more bytes of definition levels, found -1",
  ],
  [
    "of another encoding",
    { version: 1, ...sound, levelEncoding: 4 },
    "expected repetition levels encoded as RLE, found encoding 4",
  ],
])("levels %s", async (_, page, text) => {
  expect(await runOn(parquetFile(lists(page), { rows: 2 }))).toBe(
    `${where}, page 0: ${text}${AGAIN}`,
  );
});

test.each<[string, Partial<Page>]>([
  ["a definition level too many", { definition: [14, 3] }],
  ["a byte after the levels", { definition: [12, 3, 0] }],
  ["other rows in the header of version 2", { rows: 3 }],
])("%s: the numbers are right", async (_, changed) => {
  for (const version of VERSIONS)
    expect(
      await runOn(
        parquetFile(lists({ version, ...sound, ...changed }), { rows: 2 }),
      ),
    ).toEqual(softmaxOf(LOGITS, 3));
});

const REFUSED =
  /^ERR_INPUT_FORMAT file: Parquet data: could not be decoded: it is damaged/;

test.each<[string, Page]>([
  [
    "values before the first row",
    { version: 1, ...sound, repetition: [3, 0b110111] },
  ],
  ["other nulls in the header", { version: 2, ...sound, nulls: 1 }],
])("%s: the decoder refuses them", async (_, page) => {
  expect(await runOn(parquetFile(lists(page), { rows: 2 }))).toMatch(REFUSED);
});

test.each([
  ["Snappy", 1],
  ["GZIP", 2],
  ["Brotli", 4],
  ["LZ4 as Hadoop frames it", 5],
  ["Zstandard", 6],
  ["LZ4", 7],
])("levels in pages compressed by %s", async (_, codec) => {
  // Version 2 compresses no levels: one codec is enough.
  for (const version of codec === 1 ? VERSIONS : [1 as const]) {
    const page = { version, ...sound };
    expect(await runOn(parquetFile(lists(page), { rows: 2, codec }))).toEqual(
      softmaxOf(LOGITS, 3),
    );
    const damaged = lists({ ...page, definition: [12, 64] });
    expect(await runOn(parquetFile(damaged, { rows: 2, codec }))).toBe(
      `${where}, page 0: expected definition levels of at most 3, found 64${AGAIN}`,
    );
  }
});

test("the page is named, and the column", async () => {
  const page = (definition: number[]): Page => ({
    version: 1,
    ...sound,
    values: 3,
    repetition: [],
    definition,
    data: [1, 2, 3],
  });
  const flat = (second: number[]): Column[] => [
    { schema: flatSchema("a"), pages: [page([6, 1]), page([6, 1])], values: 6 },
    { schema: flatSchema("b"), pages: [page([6, 1]), page(second)], values: 6 },
  ];
  const options = { columns: "*" };
  expect(await runOn(parquetFile(flat([6, 1]), { rows: 6 }), options)).toEqual(
    softmaxOf([1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3], 2),
  );
  expect(await runOn(parquetFile(flat([6, 2]), { rows: 6 }), options)).toBe(
    `ERR_INPUT_FORMAT file: row group 0: column b, page 1: expected definition levels of at most 1, found 2${AGAIN}`,
  );
});

test("other counts in the footer than in the pages", async () => {
  const page: Page = { version: 1, ...sound };
  expect(
    await runOn(parquetFile(lists(page, { values: 7 }), { rows: 2 })),
  ).toBe(
    `${where}: expected 7 values as declared in the footer, found 6${AGAIN}`,
  );
  expect(await runOn(parquetFile(lists(page), { rows: 3 }))).toBe(
    `ERR_INPUT_FORMAT file: row group 0: expected 3 rows as declared in the footer, found 2${AGAIN}`,
  );
});

test("an index beyond the dictionary, which the decoder refuses", async () => {
  const dictionary = LOGITS.slice(0, 5);
  // Indices of 3 bits as a run: six times the same.
  const pages = (version: 1 | 2, index: number): Page[] => [
    { version, ...sound, indices: [3, 12, index] },
  ];
  for (const version of VERSIONS) {
    const columns = (index: number) =>
      lists(
        { version, ...sound },
        { dictionary, pages: pages(version, index) },
      );
    expect(await runOn(parquetFile(columns(4), { rows: 2 }))).toEqual(
      softmaxOf(Array(6).fill(dictionary[4]), 3),
    );
    for (const index of version === 1 ? [5, 200] : [7])
      expect(await runOn(parquetFile(columns(index), { rows: 2 }))).toMatch(
        REFUSED,
      );
  }
});

test.each(VERSIONS)(
  "dictionary indices that end too early, version %i: the decoder refuses them",
  async (version) => {
    const dictionary = LOGITS;
    const outcome = (indices: number[]) =>
      runOn(
        parquetFile(
          lists(
            { version, ...sound },
            { dictionary, pages: [{ version, ...sound, indices }] },
          ),
          { rows: 2 },
        ),
      );
    // Three bits an index: a run of two, one of four; then eight packed indices, of which six count.
    expect(await outcome([3, 4, 5, 8, 1])).toEqual(
      softmaxOf([3, 3, 1, 1, 1, 1], 3),
    );
    expect(await outcome([3, 3, 0b10001000, 0b11000110, 0b11111010])).toEqual(
      softmaxOf(LOGITS, 3),
    );
    for (const indices of [
      [],
      [0],
      [3],
      [3, 0, 0],
      [3, 4, 5],
      [3, 3, 0b10001000],
      [3, 4, 5, 0, 0, 8, 1],
      [33, 12, 0],
    ])
      expect(await outcome(indices)).toMatch(REFUSED);
  },
);
