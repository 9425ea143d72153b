import { readFileSync, writeFileSync } from "node:fs";
import {
  columnFromArray,
  dictionary,
  fixedSizeList,
  float32,
  int32,
  int64,
  list,
  map,
  nullType,
  runEndEncoded,
  struct,
  tableFromColumns,
  tableFromIPC,
  tableToIPC,
  union,
  utf8,
} from "@uwdata/flechette";
import { tableFromIPC as apacheTable } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { CLEAR_MESSAGE } from "../support/clear-message.mjs";
import { workDirectory } from "../support/logits-input.js";

// Copied columns of nested types, made by flechette and read by it and by Apache Arrow JS. test/interop/nested.test.ts has
// many more, made by pyarrow.

const at = workDirectory();
const ROWS = 30;
const isNull = (r: number) => [0, 1, 4].includes(r % 11);
const rows = <T>(value: (r: number) => T): (T | null)[] =>
  Array.from({ length: ROWS }, (_, r) => (isNull(r) ? null : value(r)));

const COLUMNS: Record<string, { type: unknown; values: unknown[] }> = {
  lists: {
    type: list(utf8()),
    values: rows((r) =>
      Array.from({ length: r % 4 }, (_, k) => (k === 2 ? null : `${r}.${k}`)),
    ),
  },
  fixed: {
    type: fixedSizeList(int32(), 2),
    values: rows((r) => [r, -r]),
  },
  structs: {
    type: struct({ a: int32(), b: list(int32()) }),
    values: rows((r) => ({ a: r, b: [r, r + 1].slice(r % 3) })),
  },
  lists_of_lists: {
    type: list(list(int32())),
    values: rows((r) => [[r], [], [1, 2, 3].slice(r % 3)].slice(r % 2)),
  },
  nothing: { type: nullType(), values: Array(ROWS).fill(null) },
  runs: {
    type: runEndEncoded(int32(), utf8()),
    values: Array.from({ length: ROWS }, (_, r) => `run ${Math.floor(r / 7)}`),
  },
  codes: {
    type: list(dictionary(utf8(), int32())),
    values: rows((r) => ["a", "b", "a", "c"].slice(r % 4)),
  },
};

function write(
  path: string,
  columns: typeof COLUMNS,
  maxBatchRows = ROWS,
  format: "file" | "stream" = "file",
  badRows: readonly number[] = [],
): Uint8Array {
  const count = Object.values(columns)[0]?.values.length ?? ROWS;
  const column = (values: unknown[], type: unknown) =>
    columnFromArray(values as never, type as never, { maxBatchRows } as never);
  const logits = Array.from({ length: count }, (_, r) =>
    badRows.includes(r) ? [Number.NaN, 1] : [r, 1],
  );
  const table = tableFromColumns([
    ...Object.entries(columns).map(([name, { type, values }]) => [
      name,
      column(values, type),
    ]),
    ["logits", column(logits, fixedSizeList(float32(), 2))],
  ] as never);
  const bytes = tableToIPC(table, { format }) as Uint8Array;
  writeFileSync(path, bytes);
  return bytes;
}

/** Values as JavaScript's own. */
function plain(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (Symbol.iterator in value)
    return [...(value as Iterable<unknown>)].map(plain);
  const fields =
    "toJSON" in value ? (value.toJSON as () => object).call(value) : value;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, plain(value)]),
  );
}

const input = at("in.arrow");
const output = at("out.arrow");
const keep = Object.keys(COLUMNS);

describe.each([
  [
    "flechette",
    (bytes: Uint8Array, name: string) => tableFromIPC(bytes).getChild(name),
  ],
  [
    "Apache Arrow JS",
    (bytes: Uint8Array, name: string) => apacheTable(bytes).getChild(name),
  ],
] as const)("read by %s", (_, read) => {
  test.each([[ROWS], [7], [1]])(
    "record batches of %i rows",
    async (batchRows) => {
      write(input, COLUMNS, batchRows);
      await built.run({ input, output, keep, force: true, column: "logits" });
      const bytes = readFileSync(output);
      for (const [name, { values }] of Object.entries(COLUMNS))
        expect([...(read(bytes, name) ?? [])].map(plain), name).toEqual(values);
    },
  );

  test("rows that are skipped, in blocks and in entries", async () => {
    const badRows = [0, 3, 4, 5, 17, 29];
    write(input, COLUMNS, 7, "file", badRows);
    for (const layout of ["bsr", "csr"] as const) {
      await built.run({
        input,
        output,
        keep,
        force: true,
        column: "logits",
        onBadRow: "skip",
        layout,
      });
      const bytes = readFileSync(output);
      for (const [name, { values }] of Object.entries(COLUMNS))
        expect([...(read(bytes, name) ?? [])].map(plain), name).toEqual(
          values.filter((_, r) => !badRows.includes(r)),
        );
    }
  });
});

test("the types of the output have no views, runs and nested dictionaries", async () => {
  write(input, COLUMNS);
  await built.run({ input, output, keep, force: true, column: "logits" });
  const inspected = await built.inspect({ input: output, column: "softmax" });
  expect(inspected.columns.slice(1, 8).map(({ type }) => type)).toEqual([
    "list<utf8>",
    "fixed_size_list<int32>[2]",
    "struct<a: int32, b: list<int32>>",
    "list<list<int32>>",
    "null",
    "utf8",
    "list<utf8>",
  ]);
});

test("show prints lists and structs as JSON", async () => {
  write(input, COLUMNS);
  await built.run({ input, output, keep, force: true, column: "logits" });
  const { columns } = await built.show({ results: output, row: 6 });
  expect(columns.slice(0, 7)).toEqual([
    { name: "lists", value: '["6.0","6.1"]' },
    { name: "fixed", value: "[6,-6]" },
    { name: "structs", value: '{"a":6,"b":[6,7]}' },
    { name: "lists_of_lists", value: "[[6],[],[1,2,3]]" },
    { name: "nothing", value: null },
    { name: "runs", value: "run 0" },
    { name: "codes", value: '["a","c"]' },
  ]);
});

test("a file without rows", async () => {
  const none = Object.fromEntries(
    Object.entries(COLUMNS).map(([name, { type }]) => [
      name,
      { type, values: [] },
    ]),
  );
  write(input, none);
  await built.run({ input, output, keep, force: true, column: "logits" });
  const table = apacheTable(readFileSync(output));
  expect(table.numRows).toBe(0);
  expect(table.schema.names.slice(1, 8)).toEqual(keep);
});

test.each([
  ["maps", map(utf8(), int32()), "map<utf8, int32>"],
  [
    "unions",
    union(0, [int32(), utf8()], undefined, (value) =>
      Number(typeof value === "string"),
    ),
    "union<int32, utf8>",
  ],
  ["lists of maps", list(map(utf8(), int32())), "list<map<utf8, int32>>"],
])("%s are refused", async (_, type, found) => {
  const values = found.startsWith("union")
    ? [1, "x"]
    : found.startsWith("list")
      ? [[[["a", 1]]]]
      : [[["a", 1]]];
  write(input, { c: { type, values } });
  await expect(
    built.run({
      input,
      output: at("none.arrow"),
      keep: ["c"],
      column: "logits",
    }),
  ).rejects.toMatchObject({
    code: "ERR_INPUT_UNSUPPORTED",
    message: `${input}: column c: unions, maps and unknown types cannot be copied, found ${found}; join such columns to the output by row`,
  });
});

describe("a dictionary that a stream replaces", () => {
  /** Streams of one schema as one: the messages of the second follow those of the first. */
  const joined = (first: Uint8Array, second: Uint8Array) => {
    const view = new DataView(second.buffer, second.byteOffset);
    return Buffer.concat([
      first.subarray(0, -8),
      second.subarray(8 + view.getInt32(4, true)),
    ]);
  };
  const type = dictionary(utf8(), int32());
  const first = ["a", null, "b", "a"];
  const second = ["x", "b", null, "a", "x"];
  const streams = [first, second].map((values, k) =>
    write(at(`part${k}`), { s: { type, values } }, 100, "stream"),
  ) as [Uint8Array, Uint8Array];

  test.each([["bsr"], ["csr"]] as const)(
    "is copied as its values: %s",
    async (layout) => {
      writeFileSync(input, joined(...streams));
      await built.run({ input, output, keep: ["s"], force: true, layout });
      const table = apacheTable(readFileSync(output));
      expect([...(table.getChild("s") ?? [])]).toEqual([...first, ...second]);
      expect(String(table.schema.fields[1]?.type)).toBe("Utf8");
      const { bytes } = await built.verify({ input, output, all: true });
      expect(bytes).toEqual({ compared: true, message: null });
    },
  );

  test("stays one where all batches have the same", async () => {
    write(input, { s: { type, values: [...first, ...first] } }, 4, "stream");
    await built.run({ input, output, keep: ["s"], force: true });
    const table = apacheTable(readFileSync(output));
    expect([...(table.getChild("s") ?? [])]).toEqual([...first, ...first]);
    expect(String(table.schema.fields[1]?.type)).toBe(
      "Dictionary<Int32, Utf8>",
    );
  });
});

describe("damage", () => {
  /** Writes a column, and in its bytes replaces these integers by others. */
  const damaged = (
    column: { type: unknown; values: unknown[] },
    from: ArrayBufferView,
    to: ArrayBufferView,
  ) => {
    const bytes = Buffer.from(write(input, { c: column }));
    const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
      Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
    const place = bytes.indexOf(bytesOf(from));
    expect(place).toBeGreaterThan(0);
    bytesOf(to).copy(bytes, place);
    writeFileSync(input, bytes);
  };
  const values = [[11, 12], [13], [14, 15, 16], [17]];

  test.each([
    [
      "lists that go back",
      { type: list(int32()), values },
      Int32Array.of(0, 2, 3, 6, 7),
      Int32Array.of(0, 5, 3, 6, 7),
      "column c, row 2: expected an offset from 5 to 7, found 3",
    ],
    [
      "lists beyond their values",
      { type: list(int32()), values },
      Int32Array.of(0, 2, 3, 6, 7),
      Int32Array.of(0, 2, 3, 6, 8),
      "column c, rows 0 to 3: expected offsets within 0 to 7, found 0 to 8",
    ],
    [
      "nested lists beyond their values",
      {
        type: list(list(int32())),
        values: [values.slice(0, 2), values.slice(2)],
      },
      Int32Array.of(0, 2, 3, 6, 7),
      Int32Array.of(0, 2, 3, 6, -1),
      "column c.item, values 0 to 3: expected offsets within 0 to 7, found 0 to -1",
    ],
    [
      "run ends that do not ascend",
      {
        type: runEndEncoded(int32(), int64()),
        values: [1, 1, 2, 2, 2, 3].map(BigInt),
      },
      Int32Array.of(2, 5, 6),
      Int32Array.of(2, 1, 6),
      "column c, row 2: expected ascending run ends with a value each, found 3 run ends and 3 values, and no run for this value",
    ],
    [
      "codes beyond a nested dictionary",
      {
        type: list(dictionary(utf8(), int32())),
        values: [
          ["a", "b"],
          ["c", "b", "a"],
        ],
      },
      Int32Array.of(0, 1, 2, 1, 0),
      Int32Array.of(0, 1, 3, 1, 0),
      "column c.item, value 2: expected a dictionary index from 0 to 2, found 3",
    ],
  ])("%s", async (_, column, from, to, message) => {
    damaged(column, from, to);
    await expect(
      built.run({
        input,
        output: at("none.arrow"),
        keep: ["c"],
        column: "logits",
      }),
    ).rejects.toMatchObject({
      code: "ERR_INPUT_FORMAT",
      message: `${input}: ${message}`,
    });
  });

  test("a bit in every 211th byte: refused in plain words, or a file that can be read", async () => {
    const bytes = write(input, COLUMNS, 9);
    let refused = 0;
    for (let k = 0; k < bytes.length; k += 211) {
      const copy = Buffer.from(bytes);
      copy[k] = (copy[k] as number) ^ (1 << (k % 8));
      writeFileSync(input, copy);
      try {
        await built.run({
          input,
          output,
          keep,
          force: true,
          column: "logits",
          onBadRow: "null",
        });
      } catch (error) {
        expect(error).toBeInstanceOf(built.SoftjacError);
        expect((error as Error).message).toMatch(CLEAR_MESSAGE);
        refused++;
        continue;
      }
      const table = apacheTable(readFileSync(output));
      expect(table.numRows).toBe(ROWS);
      for (const name of keep)
        expect([...(table.getChild(name) ?? [])]).toHaveLength(ROWS);
    }
    expect(refused).toBeGreaterThan(9);
  });
});
