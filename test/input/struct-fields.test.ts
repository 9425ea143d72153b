import {
  Field,
  FixedSizeList,
  Float64,
  makeData,
  Struct,
  Table,
  tableToIPC,
  Vector,
} from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { Columns } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { inputRuns, near, rows, softmaxOf } from "../support/input-runs.js";
import { parquetFile } from "../support/parquet-file.js";

// Logits and labels in fields of structs, and lists of structs of one number.

const { at, input, write, run, verified, refused } = inputRuns();

const ROWS = rows("0 1 2; 0.5 -1 3; 1 1 0");
const EXPECTED = ROWS.map((row) => softmaxOf(row));
const [A, B, C] = EXPECTED;

describe("a field of a struct", () => {
  const out = "struct<n: int32, logits: list<float32>>";
  const values = ROWS.map((logits, n) => ({ n, logits }));
  const column = "out.logits";
  const dtype = "float64";

  test.each([3, 2])(
    "is read in place from batches of %i rows",
    async (batch) => {
      write({ out: [values, out] }, batch);
      const made = await verified({ column, dtype });
      expect(made.column("softmax")).toEqual(EXPECTED);
      expect(made.report).toMatchObject({ column, classes: 3 });
      const plan = await built.dryRun({ input, output: at("no"), column });
      expect(plan).toMatchObject({ storage: "list", sourceDtype: "float32" });
    },
  );

  test("a row in which the struct is null is a null row", async () => {
    const id = [1, 2, 3, 4];
    const parts = [values[0], null, values[1], values[2]];
    write({ id: [id, "int32"], out: [parts, out] }, 2);
    const options = { column, dtype, onBadRow: "null", keep: ["id"] } as const;
    const made = await verified(options);
    expect(made.column("softmax")).toEqual([A, null, B, C]);
    await expect(run({ column })).rejects.toThrow(built.BadRowError);
  });

  test("a null struct hides the values of its fields", async () => {
    const data = Float64Array.from(ROWS.flat());
    const child = makeData({ type: new Float64(), data });
    const type = new FixedSizeList(3, new Field("item", child.type));
    const struct = makeData({
      type: new Struct([new Field("logits", type)]),
      ...{ length: 3, nullCount: 1, nullBitmap: Uint8Array.of(0b101) },
      children: [makeData({ type, child })],
    });
    const table = new Table({ out: new Vector([struct]) });
    write(tableToIPC(table, "file"));
    const made = await verified({ column, onBadRow: "null" });
    expect(made.column("softmax")).toEqual([A, null, C]);
  });

  test("at any depth, and labels too", async () => {
    const deep = `struct<model: ${out}, meta: struct<label: int32>>`;
    const parts = values.map((model, k) => ({
      model,
      meta: k === 1 ? null : { label: k },
    }));
    write({ x: [parts, deep] });
    const made = await run({
      ...{ column: "x.model.logits", label: "x.meta.label", dtype },
      ...{ emit: ["cross_entropy"], onBadRow: "null" },
    });
    // log(1 + e + e^2), and log(2 + 1/e) + 1 for class 2 of the last row.
    const first = Math.log(1 + Math.E + Math.E ** 2);
    const last = Math.log(2 * Math.E + 1);
    const entropies = [near(first), null, near(last)];
    expect(made.column("cross_entropy")).toEqual(entropies);
  });

  test("a column of the same name takes precedence", async () => {
    const other = ROWS.map((row) => row.map((x) => -x));
    write({ out: [values, out], [column]: [other, "list<float64>"] });
    const made = await run({ column });
    expect(made.column("softmax")).toEqual(other.map((row) => softmaxOf(row)));
  });

  test("messages name the fields", async () => {
    write({ out: [values, out] });
    const type = "struct<n: int32, logits: list<float32>>";
    const reason = "choose one with --column: out.logits";
    const expected = "expected lists, or a struct, of numbers, found";
    const MESSAGES: Record<string, string | undefined> = {
      [`expected a column of floats in lists, found out: ${type}; ${reason}`]:
        undefined,
      [`--column out.z: no such column; the file has out: ${type}`]: "out.z",
      [`column out: ${expected} ${type}; ${reason}`]: "out",
      [`column out.n: ${expected} int32; if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)`]:
        "out.n",
    };
    for (const [message, name] of Object.entries(MESSAGES)) {
      const isFound = message.startsWith("column");
      const code = isFound ? "ERR_INPUT_UNSUPPORTED" : "ERR_LOGITS_COLUMN";
      await refused({ column: name }, message, code);
    }
    const { columns } = await built.inspect({ input, column });
    expect(columns).toEqual([{ name: "out", type, reason }]);
  });

  test("only the field of a Parquet file is decoded", async () => {
    const version = 1 as const;
    const pages = (values: number, page: object) => [
      { version, values, repetition: [] as number[], ...page } as never,
    ];
    // Rows: three values, a null struct, three values.
    const logits = {
      schema: [
        { 3: 1, 4: "out", 5: 2 },
        { 3: 1, 4: "logits", 5: 1, 6: 3 },
        { 3: 2, 4: "list", 5: 1 },
        { 1: 5, 3: 1, 4: "element" },
      ],
      values: 7,
      pages: pages(7, {
        repetition: [3, 0b1100110],
        definition: [6, 4, 2, 0, 6, 4],
        data: [0, 1, 2, 0.5, -1, 3],
      }),
    };
    const unreadable = {
      schema: [{ 1: 5, 3: 1, 4: "n" }],
      values: 3,
      pages: pages(3, { definition: [2, 2, 2, 0, 2, 2], data: [7, 8] }),
      metadata: { 4: 77 },
    };
    write(parquetFile([logits, unreadable], { rows: 3, topLevel: 1 }));
    const made = await run({ column, onBadRow: "null" });
    expect(made.column("softmax")).toEqual([A, null, B]);
    await expect(
      run({ column, label: "out.n", emit: ["cross_entropy"] }),
    ).rejects.toThrow("could not be decoded");
  });
});

describe("lists of structs of one number are lists", () => {
  const one = "list<struct<element: float32>>";
  const columns = (values: unknown[], type = one): Columns => ({
    logits: [values, type],
  });
  const asStructs = (row: number[]) => row.map((element) => ({ element }));

  test("their numbers, also in structs", async () => {
    write(columns(ROWS.map(asStructs)));
    const made = await run({ dtype: "float64" });
    expect(made.column("softmax")).toEqual(EXPECTED);
    expect(made.report).toMatchObject({ column: "logits", classes: 3 });
    const plan = await built.dryRun({ input, output: at("no") });
    expect(plan).toMatchObject({ sourceDtype: "float32", dtype: "float32" });
    const inner = ROWS.map((row) => ({ logits: asStructs(row) }));
    write({ out: [inner, `struct<logits: ${one}>`] });
    const nested = await run({ column: "out.logits", dtype: "float64" });
    expect(nested.column("softmax")).toEqual(EXPECTED);
  });

  test("null structs and null numbers are null logits", async () => {
    const values = [
      [{ element: 1 }, { element: null }],
      [null, { element: 2 }],
      null,
    ];
    write(columns(values));
    const masked = await run({ nullLogit: "mask", onBadRow: "null" });
    expect(masked.column("softmax")).toEqual([...rows("1 0; 0 1"), null]);
    const { column } = await run({ onBadRow: "null" });
    expect(column("softmax")).toEqual([null, null, null]);
  });
});
