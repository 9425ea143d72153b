import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import {
  type DataType,
  Field,
  Float32,
  Float64,
  Int32,
  List,
  Struct,
} from "apache-arrow";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { parquetFile } from "../support/parquet-file.js";
import { type ResultsFile, writeResults } from "../support/results-file.js";

// Logits and labels in fields of structs, and lists of structs of one number.

const at = workDirectory();
const input = at("in");
const output = at("out.arrow");

const listOf = (item: DataType) => new List(new Field("item", item, true));
const struct = (fields: Record<string, DataType>) =>
  new Struct(
    Object.entries(fields).map(([name, type]) => new Field(name, type, true)),
  );

type Options = Partial<Parameters<typeof built.run>[0]>;

/** Runs, and returns a column of the output. */
async function resultOf(options: Options, column = "softmax") {
  const report = await built.run({
    input,
    output,
    emit: ["softmax"],
    dtype: "float64",
    force: true,
    ...options,
  });
  const values = [...tableFromIPC(readFileSync(output)).getChild(column)];
  return {
    report,
    values: values.map((value) =>
      ArrayBuffer.isView(value) ? [...(value as Float64Array)] : value,
    ),
  };
}

function softmaxOf(row: number[]): number[] {
  const exact = built.softmax(Float64Array.from(row), {
    rows: 1,
    classes: row.length,
  });
  return [...exact];
}

const rows = [
  [0, 1, 2],
  [0.5, -1, 3],
  [1, 1, 0],
];

describe("a field of a struct", () => {
  const out = struct({ n: new Int32(), logits: listOf(new Float32()) });
  const values = rows.map((logits, n) => ({ n, logits }));

  test.each<[name: string, batchRows: number[]]>([
    ["one batch", [3]],
    ["several batches", [2, 1]],
  ])("without nulls it is read in place: %s", async (_, batchRows) => {
    writeResults(input, { columns: [["out", out, values]], batchRows });
    const { report, values: found } = await resultOf({ column: "out.logits" });
    expect(found).toEqual(rows.map(softmaxOf));
    expect(report).toMatchObject({ column: "out.logits", classes: 3 });
    const plan = await built.dryRun({
      input,
      output: at("no"),
      column: "out.logits",
    });
    expect(plan).toMatchObject({ storage: "list", sourceDtype: "float32" });
    expect(await built.verify({ input, output, all: true })).toMatchObject({
      ok: true,
    });
  });

  test("a row in which the struct is null is a null row", async () => {
    writeResults(input, {
      columns: [
        ["id", new Int32(), [1, 2, 3, 4]],
        ["out", out, [values[0], null, values[1], values[2]]],
      ],
      batchRows: [2],
    });
    const options = { column: "out.logits", onBadRow: "null", keep: ["id"] };
    const { values: found } = await resultOf(options as Options);
    const [a, b, c] = rows.map(softmaxOf);
    expect(found).toEqual([a, null, b, c]);
    expect(await built.verify({ input, output, all: true })).toMatchObject({
      ok: true,
    });
    await expect(resultOf({ column: "out.logits" })).rejects.toMatchObject({
      code: "ERR_BAD_ROW",
    });
  });

  test("at any depth, and labels too", async () => {
    const deep = struct({ model: out, meta: struct({ label: new Int32() }) });
    writeResults(input, {
      columns: [
        [
          "x",
          deep,
          values.map((model, k) => ({
            model,
            meta: k === 1 ? null : { label: k },
          })),
        ],
      ],
    });
    const { values: found } = await resultOf(
      {
        column: "x.model.logits",
        label: "x.meta.label",
        emit: ["cross_entropy"],
        onBadRow: "null",
      },
      "cross_entropy",
    );
    const entropy = (row: number, label: number) =>
      -Math.log(softmaxOf(rows[row] as number[])[label] as number);
    expect(found[1]).toBe(null);
    expect(found[0]).toBeCloseTo(entropy(0, 0), 14);
    expect(found[2]).toBeCloseTo(entropy(2, 2), 14);
  });

  test("a column of the same name wins", async () => {
    const other = rows.map((row) => row.map((o) => -o));
    writeResults(input, {
      columns: [
        ["out", out, values],
        ["out.logits", listOf(new Float64()), other],
      ],
    });
    const { values: found } = await resultOf({ column: "out.logits" });
    expect(found).toEqual(other.map(softmaxOf));
  });

  test("messages name the fields", async () => {
    writeResults(input, { columns: [["out", out, values]] });
    const type = "struct<n: int32, logits: list<float32>>";
    await expect(resultOf({})).rejects.toMatchObject({
      code: "ERR_LOGITS_COLUMN",
      message: `${input}: expected a column of floats in lists, found out: ${type}; choose one with --column: out.logits`,
    });
    await expect(resultOf({ column: "out.z" })).rejects.toMatchObject({
      code: "ERR_LOGITS_COLUMN",
      message: `${input}: --column out.z: no such column; the file has out: ${type}`,
    });
    await expect(resultOf({ column: "out" })).rejects.toMatchObject({
      code: "ERR_INPUT_UNSUPPORTED",
      message: `${input}: column out: expected lists, or a struct, of numbers, found ${type}; choose one with --column: out.logits`,
    });
    await expect(resultOf({ column: "out.n" })).rejects.toMatchObject({
      message: expect.stringMatching(
        /: column out\.n: expected lists, or a struct, of numbers, found int32/,
      ),
    });
    const { columns } = await built.inspect({ input, column: "out.logits" });
    expect(columns).toEqual([
      { name: "out", type, reason: "choose one with --column: out.logits" },
    ]);
  });

  test("of a Parquet file only the field is decoded", async () => {
    const group = { 3: 1, 4: "out", 5: 2 };
    const list = [
      { 3: 1, 4: "logits", 5: 1, 6: 3 },
      { 3: 2, 4: "list", 5: 1 },
      { 1: 5, 3: 1, 4: "element" },
    ];
    // Rows: three values, a null struct, three values.
    const logits = {
      schema: [group, ...list],
      values: 7,
      pages: [
        {
          version: 1 as const,
          values: 7,
          repetition: [3, 0b1100110],
          definition: [6, 4, 2, 0, 6, 4],
          data: [0, 1, 2, 0.5, -1, 3],
        },
      ],
    };
    const unreadable = {
      schema: [{ 1: 5, 3: 1, 4: "n" }],
      values: 3,
      pages: [
        {
          version: 1 as const,
          values: 3,
          repetition: [],
          definition: [2, 2, 2, 0, 2, 2],
          data: [7, 8],
        },
      ],
      metadata: { 4: 77 },
    };
    const bytes = parquetFile([logits, unreadable], { rows: 3, topLevel: 1 });
    writeFileSync(input, bytes);
    const { values: found } = await resultOf({
      column: "out.logits",
      onBadRow: "null",
    });
    const [a, b] = rows.map(softmaxOf);
    expect(found).toEqual([a, null, b]);
    await expect(
      resultOf({
        column: "out.logits",
        label: "out.n",
        emit: ["cross_entropy"],
      }),
    ).rejects.toThrow("could not be decoded");
  });
});

describe("lists of structs of one number are lists", () => {
  const one = listOf(struct({ element: new Float32() }));
  const asStructs = (row: (number | null)[]) =>
    row.map((element) => ({ element }));
  const columns = (values: unknown[]): ResultsFile["columns"] => [
    ["logits", one, values],
  ];

  test("their numbers, also in structs", async () => {
    writeResults(input, { columns: columns(rows.map(asStructs)) });
    const { report, values } = await resultOf({});
    expect(values).toEqual(rows.map(softmaxOf));
    expect(report).toMatchObject({ column: "logits", classes: 3 });
    const plan = await built.dryRun({ input, output: at("no") });
    expect(plan).toMatchObject({ sourceDtype: "float32", dtype: "float32" });
    writeResults(input, {
      columns: [
        [
          "out",
          struct({ logits: one }),
          rows.map((row) => ({ logits: asStructs(row) })),
        ],
      ],
    });
    expect((await resultOf({ column: "out.logits" })).values).toEqual(values);
  });

  test("null structs and null numbers are null logits", async () => {
    writeResults(input, {
      columns: columns([
        [{ element: 1 }, { element: null }],
        [null, { element: 2 }],
        null,
      ]),
    });
    const { values } = await resultOf({ nullLogit: "mask", onBadRow: "null" });
    expect(values).toEqual([[1, 0], [0, 1], null]);
    expect((await resultOf({ onBadRow: "null" })).values).toEqual([
      null,
      null,
      null,
    ]);
  });
});
