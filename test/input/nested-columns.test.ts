import { readFileSync } from "node:fs";
import { nullType, tableFromIPC, union } from "@uwdata/flechette";
import { tableFromIPC as apacheTable } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { plainField } from "../../src/arrow/field.js";
import { NodeCopier } from "../../src/arrow/node-copier.js";
import { copiedColumn } from "../../src/input/copied-columns.js";
import { plainBuffers } from "../../src/input/record-batch.js";
import {
  arrowOf,
  type Columns,
  type Type,
  typeOf,
} from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import {
  fixture,
  inputRuns,
  type Options,
  patched,
} from "../support/input-runs.js";
import { plain } from "../support/runs.js";

// Copied columns of nested types, views and texts. test/system/interop/nested.test.ts has many more, made by pyarrow.

type Column = Columns[string];

const { input, output, write, run, verified, refused } = inputRuns();
const ROWS = 30;
const isNull = (r: number) => [0, 1, 4].includes(r % 11);
const rows = <T>(value: (r: number) => T): (T | null)[] =>
  Array.from({ length: ROWS }, (_, r) => (isNull(r) ? null : value(r)));

const COLUMNS: Columns = {
  lists: [
    rows((r) => [`${r}.0`, `${r}.1`, null].slice(0, r % 4)),
    "list<utf8>",
  ],
  fixed: [rows((r) => [r, -r]), "fixed_size_list<int32>[2]"],
  structs: [
    rows((r) => ({ a: r, b: [r, r + 1].slice(r % 3) })),
    "struct<a: int32, b: list<int32>>",
  ],
  lists_of_lists: [
    rows((r) => [[r], [], [1, 2, 3].slice(r % 3)].slice(r % 2)),
    "list<list<int32>>",
  ],
  nothing: [Array(ROWS).fill(null), nullType()],
  runs: [
    Array.from({ length: ROWS }, (_, r) => `run ${Math.floor(r / 7)}`),
    "run_end_encoded<int32, utf8>",
  ],
  codes: [
    rows((r) => ["a", "b", "a", "c"].slice(r % 4)),
    "list<dictionary<int32, utf8>>",
  ],
};
const keep = Object.keys(COLUMNS);

/** Returns a file of columns beside logits, which are NaN in some rows. */
function fileOf(
  columns: Columns,
  batchRows = ROWS,
  format: "file" | "stream" = "file",
  badRows: readonly number[] = [],
): Buffer {
  const count = Object.values(columns)[0]?.[0].length ?? ROWS;
  const values = Array.from({ length: count }, (_, r) =>
    badRows.includes(r) ? [Number.NaN, 1] : [r, 1],
  );
  const logits: Column = [values, "fixed_size_list<float32>[2]"];
  return arrowOf({ ...columns, logits }, { batchRows, format });
}

const copied = (options: Options = {}) =>
  run({ keep, column: "logits", ...options });
const apache = () => apacheTable(readFileSync(output));

interface Table {
  getChild(name: string): Iterable<unknown> | null;
}

/** Checks the copied columns of the rows that are left, as two readers find them. */
function check(isLeft = (_: number) => true): void {
  const tables: Table[] = [tableFromIPC(readFileSync(output)), apache()];
  for (const table of tables)
    for (const [name, [values]] of Object.entries(COLUMNS))
      expect(Array.from(table.getChild(name) ?? [], plain), name).toEqual(
        values.filter((_, r) => isLeft(r)),
      );
}

test.each([ROWS, 7, 1])("record batches of %i rows", async (batchRows) => {
  write(fileOf(COLUMNS, batchRows));
  await copied();
  check();
});

test.each(["bsr", "csr"] as const)("skipped rows, %s", async (layout) => {
  const badRows = [0, 3, 4, 5, 17, 29];
  write(fileOf(COLUMNS, 7, "file", badRows));
  await copied({ onBadRow: "skip", layout });
  check((r) => !badRows.includes(r));
});

test("the types of the output have no views, runs and nested dictionaries; show prints JSON", async () => {
  write(fileOf(COLUMNS));
  await copied();
  const inspected = await built.inspect({ input: output, column: "softmax" });
  const { columns } = await built.show({ results: output, row: 6 });
  expect(
    inspected.columns.slice(1, 8).map(({ name, type }, k) => {
      expect(columns[k]?.name).toBe(name);
      return [type, columns[k]?.value];
    }),
  ).toEqual([
    ["list<utf8>", '["6.0","6.1"]'],
    ["fixed_size_list<int32>[2]", "[6,-6]"],
    ["struct<a: int32, b: list<int32>>", '{"a":6,"b":[6,7]}'],
    ["list<list<int32>>", "[[6],[],[1,2,3]]"],
    ["null", null],
    ["utf8", "run 0"],
    ["list<utf8>", '["a","c"]'],
  ]);
});

test("a file without rows", async () => {
  const none = Object.entries(COLUMNS).map(([name, [, type]]) => [
    ...[name, [[], type]],
  ]);
  write(fileOf(Object.fromEntries(none)));
  await copied();
  expect(apache().numRows).toBe(0);
  expect(apache().schema.names.slice(1, 8)).toEqual(keep);
});

const mixed = union(0, ["int32", "utf8"].map(typeOf), undefined, (value) =>
  Number(typeof value === "string"),
);
test.each<[found: string, values: unknown[], type?: Type]>([
  ["map<utf8, int32>", [[["a", 1]]]],
  ["union<int32, utf8>", [1, "x"], mixed],
  ["list<map<utf8, int32>>", [[[["a", 1]]]]],
])("%s is refused", async (found, values, type = found) => {
  write(fileOf({ c: [values, type] }));
  await refused(
    { keep: ["c"], column: "logits" },
    `column c: unions, maps and unknown types cannot be copied, found ${found}; join such columns to the output by row`,
    "ERR_INPUT_UNSUPPORTED",
  );
});

describe("a dictionary that a stream replaces", () => {
  const type = "dictionary<int32, utf8>";
  const first = ["a", null, "b", "a"];
  const second = ["x", "b", null, "a", "x"];
  const stream = (values: unknown[], batchRows = 100) =>
    fileOf({ s: [values, type] }, batchRows, "stream");
  const typeOfColumn = () => String(apache().schema.fields[1]?.type);

  test.each(["bsr", "csr"] as const)(
    "is copied as its values: %s",
    async (layout) => {
      // The messages of the second stream, except its schema, follow those of the first.
      const next = stream(second);
      const rest = next.subarray(8 + next.readInt32LE(4));
      write(Buffer.concat([stream(first).subarray(0, -8), rest]));
      const { column } = await verified({ keep: ["s"], layout });
      expect(column("s")).toEqual([...first, ...second]);
      expect(typeOfColumn()).toBe("Utf8");
      const { bytes } = await built.verify({ input, output, all: true });
      expect(bytes).toEqual({ compared: true, message: null });
    },
  );

  test("remains one if all batches have the same", async () => {
    write(stream([...first, ...first], 4));
    const { column } = await run({ keep: ["s"] });
    expect(column("s")).toEqual([...first, ...first]);
    expect(typeOfColumn()).toBe("Dictionary<Int32, Utf8>");
  });
});

describe("damage", () => {
  const NUMBERS = [[11, 12], [13], [14, 15, 16], [17]];
  const LISTS: Column = [NUMBERS, "list<int32>"];
  const pairs = [NUMBERS.slice(0, 2), NUMBERS.slice(2)];
  const NESTED: Column = [pairs, "list<list<int32>>"];
  const numbers = [1, 1, 2, 2, 2, 3].map(BigInt);
  const RUNS: Column = [numbers, "run_end_encoded<int32, int64>"];
  const texts = ["a b", "c b a"].map((text) => text.split(" "));
  const CODES: Column = [texts, "list<dictionary<int32, utf8>>"];
  const OFFSETS = [0, 2, 3, 6, 7];

  /** Columns with other integers, by the message. */
  const DAMAGED: Record<string, [Column, from: number[], to: number[]]> = {
    "column c, row 2: expected an offset from 5 to 7, found 3": [
      ...([LISTS, OFFSETS, OFFSETS.with(1, 5)] as const),
    ],
    "column c, rows 0 to 3: expected offsets within 0 to 7, found 0 to 8": [
      ...([LISTS, OFFSETS, OFFSETS.with(4, 8)] as const),
    ],
    "column c.item, values 0 to 3: expected offsets within 0 to 7, found 0 to -1":
      [NESTED, OFFSETS, OFFSETS.with(4, -1)],
    "column c, row 2: expected ascending run ends with a value each, found 3 run ends and 3 values, and no run for this value":
      [RUNS, [2, 5, 6], [2, 1, 6]],
    "column c.item, value 2: expected a dictionary index from 0 to 2, found 3":
      [CODES, [0, 1, 2, 1, 0], [0, 1, 3, 1, 0]],
  };
  test.each(Object.entries(DAMAGED))(
    "%s",
    async (message, [column, from, to]) => {
      const file = fileOf({ c: column });
      write(patched(file, Int32Array.from(from), Int32Array.from(to)));
      const options = { keep: ["c"], column: "logits" };
      await refused(options, message, "ERR_INPUT_FORMAT");
    },
  );
});

// Views and dictionaries of them, as polars writes them (test/fixtures/make_views.py).
describe("views", () => {
  const keep = ["name", "split", "bytes"];
  const numbers = Array.from({ length: 40 }, (_, r) => r);
  const EXPECTED = {
    name: numbers.map((r) =>
      r % 7 === 3 ? null : `${"é".repeat(r % 9)} row ${r}`,
    ),
    split: numbers.map((r) =>
      r % 11 === 5 ? null : ["train", "a category of its own"][r % 2],
    ),
    bytes: numbers.map((r) => new Array(r % 20).fill(r)),
  };
  const views = () => readFileSync(fixture("views.arrow"));
  const kept = (column: (name: string) => unknown[]) =>
    Object.fromEntries(keep.map((name) => [name, column(name)]));

  test.each(["views.arrow", "views-zstd.arrow", "views.arrows"])(
    "%s is copied as utf8 and binary",
    async (name) => {
      const input = fixture(name);
      for (const layout of ["bsr", "csr"] as const) {
        const { column, table } = await run({ input, keep, layout });
        expect(kept(column)).toEqual(EXPECTED);
        const { fields } = table.schema;
        const types = fields.slice(1, 4).map(({ type }) => type.typeId);
        const [utf8, dictionary, binary] = [5, -1, 4];
        expect(types).toEqual([utf8, dictionary, binary]);
      }
      await built.run({
        ...{ input, output, keep, force: true },
        ...{ chunkRows: 3, compress: "lz4" },
      });
      const { bytes } = await built.verify({ input, output, all: true });
      expect(bytes).toEqual({ compared: true, message: null });
      expect((await run({ input })).report.rows).toBe(40);
    },
  );

  test("texts of skipped rows are left out", async () => {
    const logits = Float64Array.of(-4, 2.5, -2.5, 4);
    write(patched(views(), logits, logits.with(0, Number.NaN)));
    const { column } = await run({ keep, onBadRow: "skip" });
    const entries = Object.entries(EXPECTED);
    const left = entries.map(([name, values]) => [name, values.slice(1)]);
    expect(kept(column)).toEqual(Object.fromEntries(left));
  });

  test.each([
    [0, -1, "expected a view of 0 or more bytes, found -1"],
    [0, 5, "expected zeros after the 5 bytes of a view, found others"],
    [4, 1, "expected a view with the first 4 bytes of its value, found others"],
    [0, 2 ** 31 - 1, /expected a view within the \d+ bytes/],
    [8, 1, "expected a view of one of 1 data buffers, found buffer 1"],
    [8, -1, "expected a view of one of 1 data buffers, found buffer -1"],
    [12, -1, /expected a view within .* bytes at byte -1/],
    [12, 2 ** 31 - 1, /expected a view within .* bytes at byte 2147483647/],
  ])("damage at byte %i of a view: %i", async (at, value, message) => {
    const text = Buffer.from(EXPECTED.name[8] as string);
    const view = Buffer.alloc(8);
    view.writeInt32LE(text.length);
    text.copy(view, 4);
    // The text is not inline, so that the view has a buffer and an offset.
    expect(text.length).toBeGreaterThan(12);
    const file = views();
    const place = file.indexOf(view);
    expect(place).toBeGreaterThan(0);
    file.writeInt32LE(value, place + at);
    write(file);
    const error = await run({ keep }).catch((error) => error);
    expect(error).toBeInstanceOf(built.InputFormatError);
    expect(error.message).toMatch(message);
    expect(error.message).toContain("column name, row 8");
  });

  test.each([
    ["name", "é row 1", "\xc3\xc3 row 1", /column name, row 1/],
    ["split", "of its own", "of its ow\xe9", /dictionary batch \d, value 1/],
  ])("%s that is not UTF-8 is refused", async (name, from, to, where) => {
    write(patched(views(), from, Buffer.from(to, "latin1")));
    const text = `: ${where.source}: the text is not valid UTF-8$`;
    const message = expect.stringMatching(new RegExp(text));
    const error = { code: "ERR_INPUT_FORMAT", message };
    await expect(run({ keep: [name] })).rejects.toMatchObject(error);
  });
});

// Other readers refuse a file whose texts are not UTF-8, so none is written.
describe("texts", () => {
  const TEXTS = ["one", "qx", "y", "z"];
  const OFFSETS = Int32Array.of(0, 3, 5, 6, 7);
  const keep = ["name"];
  const fileOfTexts = (type: string, values = TEXTS) =>
    fileOf({ name: [values, type] });
  const TYPES = ["utf8", "large_utf8", "dictionary<int8, utf8>"] as const;

  test.each([
    ["a byte that UTF-8 does not have", "qx", [0x71, 0xff], 1],
    ["a character over two texts", "yz", [0xc3, 0xa9], 2],
    ["a character that the end cuts", "qxyz", [0x71, 0x78, 0x79, 0xc3], 3],
  ])("%s", async (_, from, to, row) => {
    for (const [k, type] of TYPES.entries()) {
      write(patched(fileOfTexts(type), from, Buffer.from(to)));
      const where =
        k < 2 ? `column name, row ${row}` : `dictionary batch 0, value ${row}`;
      const message = `${where}: the text is not valid UTF-8`;
      await refused({ keep }, message, "ERR_INPUT_FORMAT");
    }
  });

  test.each(TYPES)(
    "texts of several megabytes, whose characters cross the ends of what is read at once: %#",
    async (type) => {
      const texts = [
        ...["€".repeat(400_000), "a", "é".repeat(700_001), ""],
        ...["😀".repeat(300_001), "end"],
      ];
      write(fileOfTexts(type, texts));
      expect((await run({ keep })).column("name")).toEqual(texts);
    },
  );

  test("a value of more than 256 MiB is refused, because it is read whole", () => {
    const bytes = 2 ** 28 + 1;
    const column = copiedColumn("", plainField("c", { kind: "Binary" }), 0);
    const shape = { rows: 1, validity: 0, offsets: 8, items: bytes };
    const copier = new NodeCopier(
      column,
      {
        shape: { ...shape, values: bytes },
        validity: 0,
        offsets: 0,
        values: 0,
      },
      () => new Uint8Array(Int32Array.of(0, bytes).buffer),
      () => {},
    );
    const buffers = plainBuffers(1, 64, bytes);
    expect(() =>
      copier.copy({ buffers, from: 0, to: 1, repeat: 1, row: 5 }),
    ).toThrow(`at most ${2 ** 28} bytes in one value, found ${bytes}; join`);
  });

  test.each([
    [2, 9, "value 2: expected an offset from 3 to 8, found 9"],
    [2, 2, "value 2: expected an offset from 3 to 8, found 2"],
    [1, -1, "value 1: expected an offset from 0 to 8, found -1"],
    [4, 9, "values 0 to 3: expected offsets within 0 to 8, found 0 to 9"],
  ])("offset %i of a dictionary is %i", async (k, offset, found) => {
    const file = fileOfTexts(TYPES[2]);
    write(patched(file, OFFSETS, OFFSETS.with(k, offset)));
    const message = `dictionary batch 0, ${found}`;
    await refused({ keep }, message, "ERR_INPUT_FORMAT");
  });

  test.each([4, -1])("index %i of a dictionary", async (index) => {
    const codes = Int8Array.of(0, 1, 2, 3, 0, 0, 0, 0);
    write(patched(fileOfTexts(TYPES[2]), codes, codes.with(2, index)));
    await refused(
      { keep },
      `column name, row 2: expected a dictionary index from 0 to 3, found ${index}`,
      "ERR_INPUT_FORMAT",
    );
  });
});
