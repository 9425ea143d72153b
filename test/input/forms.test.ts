import { describe, expect, test } from "vitest";
import { float16Value } from "../../src/arrow/stored-numbers.js";
import type { Columns, Type } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import {
  fixture,
  inputRuns,
  type Options,
  type Row,
  rows,
  softmaxOf,
} from "../support/input-runs.js";

// Every form and type of logits: the same numbers give the same results.

const { input, write, run, verified, refused } = inputRuns();
const classes = 5;
const CLASSES = [...Array(classes).keys()];
const ROWS = [...Array(300).keys()];
const NAMES = CLASSES.map((k) => `c${k}`);

const NULL = "expected finite logits or -inf for masked classes, found null";
const ADVICE = "--on-bad-row null keeps the row as null, skip drops it";
const MASK = "--null-logit mask masks the class";

const whole = (r: number, k: number) => ((r * 7 + k * 13) % 23) + k;
const half = (r: number, k: number) => whole(r, k) / 2 - 4;
const tableOf = (value: (r: number, k: number) => number | null): Row[] =>
  ROWS.map((r) => CLASSES.map((k) => value(r, k)));

interface Form {
  columns(table: readonly Row[]): Columns;
  options?: Options;
  dtype?: string;
}

const lists = (type: Type): Form => ({
  columns: (table) => ({ logits: [[...table], type] }),
});
const fieldsOf = (row: Row) =>
  row && Object.fromEntries(NAMES.map((name, k) => [name, row[k]]));
const structs = (...types: Type[]): Form => ({
  columns: (table) => {
    const fields = NAMES.map(
      (name, k) => `${name}: ${types[k % types.length]}`,
    );
    const type = `struct<${fields.join(", ")}>`;
    return { logits: [table.map(fieldsOf), type] };
  },
  options: { column: "logits" },
});
const separate = (...types: Type[]): Form => ({
  columns: (table) =>
    Object.fromEntries(
      NAMES.map((name, k) => {
        const values = table.map((row) => row?.[k] ?? null);
        return [name, [values, types[k % types.length] as Type]];
      }),
    ),
  options: { columns: "c?" },
});

/** Forms by the storage that a description names. */
const FORMS: Record<string, (item: Type) => Form> = {
  "fixed-size-list": (item) => lists(`fixed_size_list<${item}>[5]`),
  list: (item) => lists(`list<${item}>`),
  "large-list": (item) => lists(`large_list<${item}>`),
  struct: (item) => structs(item),
  columns: (item) => separate(item),
};

/** Forms that are decoded, and stored as lists of one length. */
const DECODED: Record<string, Form> = {
  "lists of decimals": lists("list<decimal(12,2)>"),
  "lists of decimals of 256 bits": lists("list<decimal(40,2,256)>"),
  "fixed-size lists of decimals": lists("fixed_size_list<decimal(9,2)>[5]"),
  "structs of several types": structs("float64", "decimal(8,2)", "float32"),
  "columns of several types": separate("float64", "float32", "decimal(5,2)"),
  "columns of float32 and float16": {
    ...{ ...separate("float32", "float16"), dtype: "float32" },
  },
};

const WIDTHS = [8, 16, 32, 64];
const NUMBERS: [type: string, dtype: string][] = [
  ["float16", "float32"],
  ["float32", "float32"],
  ["float64", "float64"],
  ...WIDTHS.flatMap((bits): [string, string][] => [
    [`int${bits}`, "float64"],
    [`uint${bits}`, "float64"],
  ]),
];

/** Returns the results of rows, with masked classes where a logit is null; null for a null row. */
function softmax(table: readonly Row[], dtype: string | null) {
  return table.map((row) => {
    if (row === null) return null;
    const logits = Float64Array.from(row, (x) => x ?? -Infinity);
    const p = built.softmax(logits, { rows: 1, classes });
    return Array.from(dtype === "float32" ? Float32Array.from(p) : p);
  });
}

describe.each(Object.entries(FORMS))("%s", (storage, formOf) => {
  test.each(NUMBERS)("of %s", async (type, dtype) => {
    const table = tableOf(type.includes("float") ? half : whole);
    const { columns, options } = formOf(type);
    write(columns(table));
    const made = await verified({ ...options, chunkRows: 70 });
    expect(made.report).toMatchObject({ rows: 300, classes, dtype });
    expect(made.column("softmax")).toEqual(softmax(table, dtype));
    const found = await built.inspect({ input, ...options, scan: true });
    expect(found.logits).toMatchObject({ storage, dtype, classes });
  });
});

test.each(["list", "large-list"])("%s of another length", async (name) => {
  const { columns } = (FORMS[name] as (item: Type) => Form)("float64");
  const table = tableOf(half).map((row, r) =>
    r === 137 || r === 20 ? (row?.slice(0, 4) ?? null) : row,
  );
  write(columns(table));
  for (const chunkRows of [5, 1000])
    await refused(
      { chunkRows },
      "column logits, row 20: expected 5 values as in the first row, found 4; pad the lists to one length: --pad masks the classes that a row of logits lacks, as do nulls with --null-logit mask",
    );
});

describe("null rows and null logits", () => {
  const cases: [name: string, storage: string, form: Form][] = [
    ...Object.entries(FORMS).flatMap(([storage, formOf]) =>
      NUMBERS.slice(0, 3).map(([type, dtype]): [string, string, Form] => [
        ...([`${storage} of ${type}`, storage] as const),
        { ...formOf(type), dtype },
      ]),
    ),
    ...Object.entries(DECODED).map(([name, form]): [string, string, Form] => [
      ...([name, "fixed-size-list", form] as const),
    ]),
  ];
  const isNullRow = (r: number) => r === 2 || r === 12 || r === 299;
  const table = ROWS.map((r) =>
    isNullRow(r)
      ? null
      : CLASSES.map((k) =>
          r > 2 && (r * 5 + k) % 17 === 3 ? null : half(r, k),
        ),
  );

  async function check(
    file: string,
    table: readonly Row[],
    storage: string,
    { options, dtype = "float64" }: Omit<Form, "columns">,
  ): Promise<void> {
    const selection = { ...options, input: file };
    const firstBadRow = table.findIndex((row) => row?.includes(null) ?? true);
    const inClass = table[firstBadRow]?.indexOf(null);
    await refused(
      selection,
      inClass === undefined
        ? `row ${firstBadRow}: ${NULL} (${ADVICE})`
        : `row ${firstBadRow}: ${NULL} in class ${inClass} (${ADVICE}, ${MASK})`,
    );
    const good = table.map((row) => (row?.includes(null) ? null : row));
    const badRows = good.filter((row) => row === null).length;
    for (const [layout, dtype] of [
      ["bsr", "float32"],
      ["csr", "float64"],
    ] as const) {
      const how = { layout, dtype, onBadRow: "null", chunkRows: 9, threads: 2 };
      const made = await verified({ ...selection, ...how } as Options);
      expect(made.report).toMatchObject({ badRows, firstBadRow });
      expect(made.column("softmax")).toEqual(softmax(good, dtype));
    }
    const skip = { onBadRow: "skip", chunkRows: 10 } as const;
    const skipped = await run({ ...selection, ...skip });
    const left = good.filter((row) => row !== null);
    expect(skipped.report.dtype).toBe(dtype);
    expect(skipped.column("softmax")).toEqual(softmax(left, dtype));
    const inspected = await built.inspect({ ...selection, scan: true });
    expect(inspected).toMatchObject({
      logits: { storage, classes },
      values: { badRows, firstBadRow },
    });
    const masked = { nullLogit: "mask", onBadRow: "null" } as const;
    const made = await verified({ ...selection, ...masked });
    expect(made.column("softmax")).toEqual(softmax(table, dtype));
    const scan = { nullLogit: "mask", scan: true } as const;
    const report = await built.inspect({ ...selection, ...scan });
    const nullRows = table.filter((row) => row === null).length;
    expect(report.values).toMatchObject({ badRows: nullRows });
  }

  test.each(cases)("%s", async (_, storage, { columns, ...form }) => {
    write(columns(table), 170);
    await check(input, table, storage, form);
  });

  // Files of pyarrow (test/fixtures/make_fixtures.py), also with views in any order and with values below null lists.
  test.each([
    ["list-view", "fixed-size-list", false, "float64"],
    ["large-list-view", "fixed-size-list", false, "float64"],
    ["fixed-size-list-nulls", "fixed-size-list", true, "float32"],
    ["list-null-with-values", "list", false, "float64"],
  ])("%s.arrow", async (name, storage, hasNulls, dtype) => {
    const table = ROWS.slice(0, 40).map((r) =>
      r === 3 || r === 30
        ? null
        : CLASSES.map((k) =>
            hasNulls && (r * 5 + k) % 17 === 3 ? null : half(r, k) - k / 2,
          ),
    );
    await check(fixture(`${name}.arrow`), table, storage, { dtype });
  });
});

test.each([
  ["float32", "int16", "float32"],
  ["int8", "float32", "float32"],
  ["int8", "int16", "float64"],
  ["float32", "int32", "float64"],
])("columns of %s and %s give %s", async (first, second, dtype) => {
  write({ a: [[1, 2], first], b: [[1, 1], second] });
  const { report, column } = await verified({ columns: "a,b" });
  expect(report.dtype).toBe(dtype);
  const expected = rows("1 1; 2 1").map((row) => softmaxOf(row, 6));
  expect(column("softmax")).toEqual(expected);
});

test("list views beside the logits", async () => {
  const file = fixture("list-view.arrow");
  const columns = { column: "logits", tangent: "logits" };
  const options = { ...columns, input: file, emit: ["log_jvp"] };
  await verified({ ...options, onBadRow: "null" } as Options);
});

test("vectors beside the logits may be whole numbers", async () => {
  const whole = ROWS.map((r) => [r, -1, 2, 0, 3].map(BigInt));
  const write64 = (cotangent: bigint[][]) =>
    write({
      logits: [tableOf(half), "list<float32>"],
      cotangent: [cotangent, "list<int64>"],
    });
  const columns = { column: "logits", cotangent: "cotangent" };
  const options: Options = { ...columns, emit: ["vjp"] };
  write64(whole);
  await verified(options);
  write64(whole.with(7, [0n, 2n ** 53n + 1n, 0n, 0n, 0n]));
  await refused(
    options,
    "column cotangent, row 7, class 1: expected a whole number that float64 holds exactly, found 9007199254740993",
  );
});

test("the first list that is not null states the number of classes", async () => {
  const table = tableOf(half).map((row, r) => (r < 100 ? null : row));
  write({ logits: [table, "list<float64>"] });
  const { report } = await run({ onBadRow: "skip" });
  expect(report).toMatchObject({ classes, badRows: 100 });
});

test("nulls among the other inputs make bad rows", async () => {
  write({
    logits: [tableOf(half), "list<float32>"],
    label: [ROWS.map((r) => (r === 30 ? null : r % classes)), "int32"],
    cotangent: [
      ROWS.map((r) => (r === 40 ? null : [1, 2, r === 50 ? null : 3, 4, 5])),
      "list<float16>",
    ],
  });
  const options: Options = {
    ...{ column: "logits", label: "label", cotangent: "cotangent" },
    emit: ["cross_entropy", "vjp"],
  };
  await expect(run({ ...options, threads: 1 })).rejects.toThrow(
    "row 30: expected a class from 0 to 4 in label, found null",
  );
  const { report, column } = await verified({ ...options, onBadRow: "null" });
  expect(report).toMatchObject({ badRows: 3, firstBadRow: 30 });
  const nulls = column("vjp").flatMap((value, r) => (value ? [] : [r]));
  expect(nulls).toEqual([30, 40, 50]);
});

test("whole numbers that float64 cannot hold are refused", async () => {
  const whole = [2n ** 53n, -(2n ** 53n), 2n ** 60n, 0n, 0n];
  const table = ROWS.map(() => whole).with(211, whole.with(4, 2n ** 53n + 1n));
  write({ logits: [table, "list<int64>"] });
  await refused(
    {},
    "column logits, row 211, class 4: expected a whole number that float64 holds exactly, found 9007199254740993",
  );
});

test("all float16 values are those of IEEE 754", () => {
  // Independent: the bits of the float32 of the same value.
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  const wrong = Array.from({ length: 65536 }, (_, half) => half).filter(
    (half) => {
      const sign = (half & 0x8000) << 16;
      const exponent = (half >> 10) & 31;
      const fraction = half & 1023;
      const widened = exponent === 31 ? 255 : exponent + 112;
      if (exponent === 0) value[0] = fraction / 16777216;
      else bits[0] = (widened << 23) | (fraction << 13);
      bits[0] = ((bits[0] as number) | sign) >>> 0;
      return !Object.is(float16Value(half), value[0]);
    },
  );
  expect(wrong).toEqual([]);
});
