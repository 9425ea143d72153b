import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  columnFromArray,
  fixedSizeList,
  float16,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  largeList,
  list,
  struct,
  tableFromColumns,
  tableFromIPC,
  tableToIPC,
  uint8,
  uint16,
  uint64,
  utf8,
} from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { float16Value } from "../../src/arrow/stored-numbers.js";
import type { Type } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { read } from "../support/plain-rows.js";

// Every form and type of logits, written by another tool; the same numbers give the same results.

const at = workDirectory();
const classes = 5;
const rows = 300;

type Row = (number | null)[] | null;
type Values = (r: number) => Row;

/** Whole numbers, and halves of them where floats are stored: every type holds them. */
const wholeRow: Values = (r) =>
  Array.from({ length: classes }, (_, k) => ((r * 7 + k * 13) % 23) + k);
const halfRow: Values = (r) =>
  (wholeRow(r) as number[]).map((value) => value / 2 - 4);

const NUMBERS: [name: string, type: () => Type, dtype: string][] = [
  ["float16", float16, "float32"],
  ["float32", float32, "float32"],
  ["float64", float64, "float64"],
  ["int8", int8, "float64"],
  ["uint8", uint8, "float64"],
  ["int16", int16, "float64"],
  ["uint16", uint16, "float64"],
  ["int32", int32, "float64"],
  ["int64", int64, "float64"],
  ["uint64", uint64, "float64"],
];

const names = Array.from({ length: classes }, (_, k) => `c${k}`);
const FORMS: [name: string, of: (item: Type) => Type][] = [
  ["fixed-size-list", (item) => fixedSizeList(item, classes)],
  ["list", (item) => list(item)],
  ["large-list", (item) => largeList(item)],
  [
    "struct",
    (item) => struct(Object.fromEntries(names.map((name) => [name, item]))),
  ],
  ["columns", (item) => item],
];

/** Writes a file of logits in a form, and returns what names them in it. */
function write(
  path: string,
  form: string,
  item: Type,
  of: (item: Type) => Type,
  values: Values,
  more: Record<string, unknown> = {},
): { column?: string; columns?: string } {
  const table = Array.from({ length: rows }, (_, r) => values(r));
  const columns: Record<string, unknown> = { ...more };
  if (form === "columns")
    names.forEach((name, k) => {
      const ofClass = table.map((row) => row?.[k] ?? null);
      columns[name] = columnFromArray(ofClass, item);
    });
  else {
    const asStruct = (row: Row) =>
      row && Object.fromEntries(names.map((name, k) => [name, row[k]]));
    columns.logits = columnFromArray(
      form === "struct" ? table.map(asStruct) : table,
      of(item),
    );
  }
  const bytes = tableToIPC(tableFromColumns(columns as never), {
    format: "file",
  });
  writeFileSync(path, bytes as Uint8Array);
  return form === "columns" ? { columns: "c?" } : {};
}

const softmaxOf = (path: string) => read(path, "softmax");

function expectedSoftmax(
  values: Values,
  dtype: string | null,
): (number[] | null)[] {
  return Array.from({ length: rows }, (_, r) => {
    const row = values(r);
    if (row === null) return null;
    const logits = Float64Array.from(row, (o) => o ?? -Infinity);
    const p = built.softmax(logits, { rows: 1, classes });
    return [...(dtype === "float32" ? Float32Array.from(p) : p)];
  });
}

const input = at("in.arrow");
const output = at("out.arrow");
const base = { input, output, emit: ["softmax" as const], force: true };

describe.each(FORMS)("%s", (form, of) => {
  test.each(NUMBERS)("of %s", async (name, type, dtype) => {
    const values = /float/.test(name) ? halfRow : wholeRow;
    const selection = write(input, form, type(), of, values);
    const report = await built.run({ ...base, ...selection, chunkRows: 70 });
    expect(report).toMatchObject({ rows, classes, dtype });
    expect(softmaxOf(output)).toEqual(expectedSoftmax(values, dtype));
    const checked = await built.verify({
      output,
      input,
      ...selection,
      all: true,
    });
    expect(checked).toMatchObject({ ok: true, problems: [] });
    const found = await built.inspect({ input, ...selection, scan: true });
    expect(found.logits).toMatchObject({ storage: form, dtype, classes });
  });

  const isNullRow = (r: number) => r === 11 || r === 12 || r === 299;
  const withNullRows: Values = (r) =>
    isNullRow(r) ? null : (halfRow(r) as number[]);
  const withNullLogits: Values = (r) =>
    (halfRow(r) as number[]).map((o, k) => ((r * 5 + k) % 17 === 3 ? null : o));

  // Where each class has a column of its own, no row is null as such; of fixed-size lists there is a file below.
  const hasNullRows = form !== "columns" && form !== "fixed-size-list";
  if (hasNullRows)
    test("null rows are bad rows", async () => {
      write(input, form, float64(), of, withNullRows);
      await expect(built.run(base)).rejects.toThrow(
        "row 11: expected finite logits or -inf for masked classes, found null",
      );
      for (const dtype of ["float32", "float64"] as const) {
        const asNull = await built.run({ ...base, dtype, onBadRow: "null" });
        expect(asNull).toMatchObject({ badRows: 3, firstBadRow: 11 });
      }
      const expected = expectedSoftmax(withNullRows, "float64");
      expect(softmaxOf(output)).toEqual(expected);
      expect(await built.verify({ output, input, all: true })).toMatchObject({
        ok: true,
      });
      await built.run({ ...base, onBadRow: "skip", chunkRows: 10 });
      expect(softmaxOf(output)).toEqual(expected.filter((row) => row !== null));
      const found = await built.inspect({ input, scan: true });
      expect(found.values).toMatchObject({ badRows: 3, firstBadRow: 11 });
    });

  test.each([
    ["float32", float32],
    ["float64", float64],
    ["float16", float16],
  ])("null logits of %s: bad rows, or masked classes", async (_, type) => {
    const selection = write(input, form, type(), of, withNullLogits);
    await expect(built.run({ ...base, ...selection })).rejects.toThrow(
      "row 0: expected finite logits or -inf for masked classes, found null in class 3 (--on-bad-row null keeps the row as null, skip drops it, --null-logit mask masks the class)",
    );
    const bad = { ...selection, onBadRow: "null" as const };
    const asNull = await built.run({ ...base, ...bad });
    const isBad: Values = (r) =>
      withNullLogits(r)?.includes(null) ? null : withNullLogits(r);
    expect(softmaxOf(output)).toEqual(expectedSoftmax(isBad, asNull.dtype));
    const count = Array.from({ length: rows }, (_, r) => isBad(r));
    expect(asNull).toMatchObject({
      badRows: count.filter((row) => row === null).length,
      firstBadRow: 0,
    });
    expect(
      await built.verify({ output, input, ...selection, all: true }),
    ).toMatchObject({ ok: true, problems: [] });
    const masked = { ...selection, nullLogit: "mask" as const };
    const { dtype, badRows } = await built.run({ ...base, ...masked });
    expect(badRows).toBe(0);
    expect(softmaxOf(output)).toEqual(expectedSoftmax(withNullLogits, dtype));
    const checked = await built.verify({ output, input, ...masked, all: true });
    expect(checked).toMatchObject({ ok: true, problems: [] });
  });

  test("of all the null logits the first is told, however many threads look for it", async () => {
    const late: Values = (r) =>
      (halfRow(r) as number[]).map((o, k) => (r > 130 && k > 1 ? null : o));
    const selection = write(input, form, float64(), of, late);
    for (const chunkRows of [1, 7, 1000])
      await expect(
        built.run({ ...base, ...selection, chunkRows, threads: 3 }),
      ).rejects.toThrow(
        "row 131: expected finite logits or -inf for masked classes, found null in class 2",
      );
  });

  const isRagged = form.includes("list") && form !== "fixed-size-list";
  if (isRagged)
    test("rows of another length", async () => {
      const ragged: Values = (r) =>
        (halfRow(r) as number[]).slice(0, r === 137 || r === 20 ? 4 : 5);
      write(input, form, float64(), of, ragged);
      for (const chunkRows of [5, 1000])
        await expect(built.run({ ...base, chunkRows })).rejects.toThrow(
          "column logits, row 20: expected 5 values as in the first row, found 4; pad the lists to one length: --pad masks the classes that a row of logits lacks, as do nulls with --null-logit mask",
        );
    });
});

describe.each([
  ["list-view", "fixed-size-list", false],
  ["large-list-view", "fixed-size-list", false],
  ["fixed-size-list-nulls", "fixed-size-list", true],
  ["list-null-with-values", "list", false],
])("%s.arrow, by pyarrow", (name, form, nullLogits) => {
  const input = fileURLToPath(
    new URL(`../fixtures/${name}.arrow`, import.meta.url),
  );
  // as make_fixtures.py has it
  const count = 40;
  const logitsOf: Values = (r) =>
    r === 3 || r === 30
      ? null
      : Array.from({ length: classes }, (_, k) =>
          nullLogits && (r * 5 + k) % 17 === 3
            ? null
            : ((r * 7 + k * 13) % 23) / 2 - 4,
        );

  test("views in any order, and what is null", async () => {
    const options = { ...base, input, nullLogit: "mask" as const };
    const report = await built.run({
      ...options,
      onBadRow: "null",
      chunkRows: 9,
    });
    expect(report).toMatchObject({ rows: count, badRows: 2, firstBadRow: 3 });
    const expected = expectedSoftmax(logitsOf, report.dtype).slice(0, count);
    expect(softmaxOf(output)).toEqual(expected);
    const nullLogit = "mask" as const;
    const checked = await built.verify({ output, input, nullLogit, all: true });
    expect(checked).toMatchObject({ ok: true, problems: [] });
    const found = await built.inspect({ input, nullLogit, scan: true });
    expect(found).toMatchObject({
      logits: { storage: form },
      values: { badRows: 2 },
    });
  });

  test("refused, unless they are asked for", async () => {
    await expect(built.run({ ...base, input })).rejects.toThrow(
      nullLogits
        ? "row 0: expected finite logits or -inf for masked classes, found null in class 3"
        : "row 3: expected finite logits or -inf for masked classes, found null",
    );
  });
});

test("list views beside the logits", async () => {
  const path = new URL("../fixtures/list-view.arrow", import.meta.url);
  const input = fileURLToPath(path);
  const tangent = { column: "logits", tangent: "logits" };
  const options = { ...base, ...tangent, input, onBadRow: "null" as const };
  await built.run({ ...options, emit: ["log_jvp"] });
  const checked = await built.verify({ output, input, all: true });
  expect(checked).toMatchObject({ ok: true, problems: [] });
});

test("the first list that is not null tells the number of classes", async () => {
  const values: Values = (r) => (r < 100 ? null : (halfRow(r) as number[]));
  write(input, "list", float64(), (item) => list(item), values);
  const report = await built.run({ ...base, onBadRow: "skip" });
  expect(report).toMatchObject({ classes, badRows: 100 });
});

test("nulls among the other inputs make bad rows", async () => {
  const label = columnFromArray(
    Array.from({ length: rows }, (_, r) => (r === 30 ? null : r % classes)),
    int32(),
  );
  const cotangent = columnFromArray(
    Array.from({ length: rows }, (_, r) =>
      r === 40 ? null : [1, 2, r === 50 ? null : 3, 4, 5],
    ),
    list(float16()),
  );
  write(input, "list", float32(), (item) => list(item), halfRow, {
    label,
    cotangent,
  });
  const needs = { column: "logits", label: "label", cotangent: "cotangent" };
  const emit = ["cross_entropy", "vjp"] as const;
  await expect(
    built.run({ ...base, emit, ...needs, threads: 1 }),
  ).rejects.toThrow(
    "row 30: expected a class from 0 to 4 in label, found null",
  );
  const report = await built.run({ ...base, emit, ...needs, onBadRow: "null" });
  expect(report).toMatchObject({ badRows: 3, firstBadRow: 30 });
  const table = tableFromIPC(readFileSync(output));
  const nulls = [...table.getChild("vjp")].flatMap((v, r) => (v ? [] : [r]));
  expect(nulls).toEqual([30, 40, 50]);
  const checked = await built.verify({ output, input, ...needs, all: true });
  expect(checked).toMatchObject({ ok: true, problems: [] });
});

test("a whole number that float64 cannot hold is refused as a logit", async () => {
  const large = [2n ** 53n, -(2n ** 53n), 2n ** 60n, 0n, 1n];
  const odd = (r: number) =>
    r === 211 ? 2n ** 53n + 1n : (large[3] as bigint);
  const table = Array.from({ length: rows }, (_, r) => [
    ...large.slice(0, 4),
    odd(r),
  ]);
  const logits = columnFromArray(table, list(int64()));
  const bytes = tableToIPC(tableFromColumns({ logits }), { format: "file" });
  writeFileSync(input, bytes as Uint8Array);
  await expect(built.run(base)).rejects.toThrow(
    "column logits, row 211, class 4: expected a whole number that float64 holds exactly, found 9007199254740993",
  );
});

test("float16: all of its values, as IEEE 754 has them", () => {
  // by another way: the bits of the float32 of the same value
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 0) value[0] = fraction / 16777216;
    else {
      const widened = exponent === 31 ? 255 : exponent + 112;
      bits[0] = (widened << 23) | (fraction << 13);
    }
    bits[0] = ((bits[0] as number) | sign) >>> 0;
    expect(Object.is(float16Value(half), value[0])).toBe(true);
  }
});

describe("which column is taken", () => {
  const column = (type: Type) =>
    columnFromArray([[1, 2, 3]], fixedSizeList(type, 3));
  const pair = columnFromArray(
    [{ x: 1, y: 2 }],
    struct({ x: float64(), y: float64() }),
  );
  const taken = async (columns: Record<string, unknown>) => {
    const bytes = tableToIPC(tableFromColumns(columns as never), {
      format: "file",
    });
    writeFileSync(input, bytes as Uint8Array);
    return (await built.inspect({ input })).logits?.column ?? "none";
  };

  test("floats before whole numbers, lists before structs", async () => {
    const [a, b] = [column(float32()), column(int32())];
    expect(await taken({ b, a, pair })).toBe("a");
    expect(await taken({ b, pair })).toBe("pair");
    expect(await taken({ b })).toBe("b");
    expect(await taken({ b, c: b })).toBe("none");
    expect(await taken({ pair, other: pair })).toBe("none");
  });

  test("a struct of several types is chosen by --column alone, one with text never", async () => {
    const mixed = columnFromArray(
      [{ x: 1, y: 2 }],
      struct({ x: float64(), y: float32() }),
    );
    expect(await taken({ mixed })).toBe("none");
    const { column } = await built.run({ ...base, column: "mixed" });
    expect(column).toBe("mixed");
    const text = columnFromArray(
      [{ x: 1, y: "2" }],
      struct({ x: float64(), y: utf8() }),
    );
    expect(await taken({ text })).toBe("none");
    await expect(built.run({ ...base, column: "text" })).rejects.toThrow(
      "column text: expected lists, or a struct, of numbers, found struct<x: float64, y: utf8>; write the logits as lists of numbers",
    );
  });
});
