import { readFileSync, writeFileSync } from "node:fs";
import {
  columnFromArray,
  type DataType,
  fixedSizeList,
  float32,
  float64,
  int32,
  int64,
  largeList,
  list,
  tableFromColumns,
  tableFromIPC,
  tableToIPC,
  utf8,
} from "@uwdata/flechette";
import {
  type Data,
  Field,
  FixedSizeList,
  Float64,
  List,
  makeData,
  Table,
  Vector,
  tableToIPC as writeIPC,
} from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { softjac } from "../cli/support.js";
import { type Columns, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

// Columns of lists of lists: each inner list is a row. Lists that are null or empty have no rows.

const at = workDirectory();
const input = at("in.arrow");
const output = at("out.arrow");

type Nested = ((number | null)[] | null)[] | null;
const lengths = [3, 0, 2, null, 4, 1];
const docs: Nested[] = lengths.map((length, row) =>
  length === null
    ? null
    : Array.from({ length }, (_, position) =>
        [0, 1, 2].map((k) => ((row * 7 + position * 5 + k * 3) % 11) / 2 - 2),
      ),
);
const square = docs.map((doc, row) =>
  [0, 1].map((n) => doc?.[n] ?? [row, n, 0.5]),
);

function softmax(row: readonly number[]): number[] {
  const e = row.map((x) => Math.exp(x));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => x / sum);
}

/** Writes columns of an Arrow file, a record batch for each two rows. */
const write = (columns: Columns) =>
  writeArrow(input, columns, { batchRows: 2 });

async function run(options: Partial<RunOptions> = {}) {
  await built.run({ input, output, force: true, ...options });
  const table = tableFromIPC(readFileSync(output), { useBigInt: false });
  return (name: string) => Array.from(table.getChild(name) ?? []) as number[];
}

const verified = (...args: string[]) =>
  softjac("verify", output, "--input", input, ...args);

const expectedOf = (values: readonly Nested[]) =>
  values.flatMap((doc, row) =>
    (doc ?? []).map((logits, position) => ({ row, position, logits })),
  );

describe.each<[name: string, type: DataType, values: Nested[]]>([
  ["list<list>", list(list(float32())), docs],
  ["large_list<large_list>", largeList(largeList(float64())), docs],
  ["list<fixed_size_list>", list(fixedSizeList(float64(), 3)), docs],
  [
    "fixed_size_list<fixed_size_list>",
    fixedSizeList(fixedSizeList(float32(), 3), 2),
    square,
  ],
  [
    "fixed_size_list<list> with nulls",
    fixedSizeList(list(float64()), 2),
    square.with(1, null as never).with(4, null as never),
  ],
  [
    "whole numbers",
    list(list(int32())),
    docs.map(
      (d) =>
        d?.map((r) => r?.map((x) => Math.round(2 * (x ?? 0))) ?? null) ?? null,
    ),
  ],
])("%s", (_, type, values) => {
  const expected = expectedOf(values);
  const names = values.map((_, k) => `text ${k}`);

  test.each(["bsr", "csr", "coo", "factored"] as const)(
    "layout %s",
    async (layout) => {
      write({ logits: [values, type], id: [names, utf8()] });
      const keep = layout === "coo" ? [] : ["id"];
      const column = await run({ layout, keep, column: "logits" });
      const [row, position] = [column("row"), column("position")];
      const index = row.map((number, k) => `${number}, ${position[k]}`);
      expect([...new Set(index)]).toEqual(
        expected.map(({ row, position }) => `${row}, ${position}`),
      );
      if (layout !== "coo") {
        expect(column("id")).toEqual(expected.map(({ row }) => names[row]));
        for (const [k, p] of column("softmax").entries()) {
          const logits = expected[k]?.logits as number[];
          for (const [j, value] of softmax(logits).entries())
            expect((p as unknown as number[])[j]).toBeCloseTo(value, 6);
        }
      }
      expect(verified("--all")).toMatchObject({ status: 0 });
    },
  );
});

test("found without --column, after lists of floats", async () => {
  const ids: [unknown[], DataType] = [
    docs.map((doc) => doc?.map((_, n) => n) ?? null),
    list(int32()),
  ];
  write({ input_ids: ids, scores: [docs, list(list(float32()))] });
  expect((await run())("row")).toHaveLength(10);
  const flat: [unknown[], DataType] = [
    docs.map((_, k) => [k, 1]),
    list(float32()),
  ];
  write({ x: flat, scores: [docs, list(list(float32()))] });
  expect((await run())("row")).toHaveLength(6);
});

test("labels of a list, one per inner list or one for all", async () => {
  const perDoc = docs.map((_, row) => row % 3);
  const perRow = docs.map((doc, r) => doc?.map((_, n) => (r + n) % 3) ?? null);
  write({
    logits: [docs, list(list(float64()))],
    one: [perDoc, int64()],
    each: [perRow, list(int32())],
    short: [perRow.with(2, [0]), list(int32())],
  });
  const expected = expectedOf(docs);
  for (const label of ["one", "each"]) {
    const column = await run({ label, emit: ["cross_entropy"] });
    for (const [k, found] of column("cross_entropy").entries()) {
      const { row, position, logits } = expected[k] as (typeof expected)[0];
      const own = label === "one" ? perDoc[row] : perRow[row]?.[position];
      const p = softmax(logits as number[])[own ?? -1] as number;
      expect(found).toBeCloseTo(-Math.log(p), 12);
    }
    expect(verified().status).toBe(0);
  }
  const emit = ["cross_entropy"] as const;
  await expect(run({ label: "short", emit })).rejects.toThrow(
    `${input}: column short, row 2: expected 2 values, one for each list of logits, found 1`,
  );
});

test("copied lists of as many values as there are inner lists are copied one by one", async () => {
  const each = <T>(of: (row: number, n: number) => T) =>
    docs.map((doc, row) => doc?.map((_, n) => of(row, n)) ?? null);
  const ids = each((row, n) => (n === 1 ? null : 10 * row + n));
  const words = each((row, n) => `word ${row}.${n}`);
  const other = docs.map((_, row) => [row]);
  write({
    logits: [docs, list(list(float64()))],
    ids: [ids, list(int32())],
    words: [words, largeList(utf8())],
    other: [other, list(int32())],
  });
  for (const layout of ["bsr", "csr"] as const) {
    const keep = ["words", "other", "ids"];
    const column = await run({ column: "logits", keep, layout });
    expect(column("ids")).toEqual(ids.flatMap((list) => list ?? []));
    expect(column("words")).toEqual(words.flatMap((list) => list ?? []));
    expect(column("other").map((list) => [...(list as never)])).toEqual(
      expectedOf(docs).map(({ row }) => [row]),
    );
    expect(verified("--all")).toMatchObject({ status: 0 });
  }
});

test("copied lists are matched by their offsets, also where a null list has values", async () => {
  // The second list of three is null.
  const lists = (offsets: number[], child: Data) =>
    makeData({
      type: new List(new Field("item", child.type, true)),
      length: 3,
      nullCount: 1,
      nullBitmap: Uint8Array.of(0b101),
      valueOffsets: Int32Array.from(offsets),
      child,
    });
  const numbers = (...values: number[]) =>
    makeData({ type: new Float64(), data: Float64Array.from(values) });
  const pairs = makeData({
    type: new FixedSizeList(2, new Field("item", new Float64(), true)),
    child: numbers(1, 2, 3, 4, 5, 6, 7, 8),
  });
  const table = new Table({
    logits: new Vector([lists([0, 1, 3, 4], pairs)]),
    ids: new Vector([lists([0, 1, 2, 3], numbers(7, 8, 9))]),
  });
  writeFileSync(input, writeIPC(table, "file"));
  const column = await run({ column: "logits", keep: ["ids"] });
  expect([column("row"), column("ids")]).toEqual([
    [0, 2],
    [7, 9],
  ]);
});

test("a note counts the table rows that are null", async () => {
  write({ logits: [docs, list(list(float64()))] });
  await run();
  const { stderr } = softjac("run", input, "-o", output, "--force");
  expect(stderr).toContain(
    "softjac: column logits is null in 1 of 6 table rows, which have no rows in the output\n",
  );
});

test("vectors for each table row or each inner list", async () => {
  const vector = (n: number) => [n + 0.5, -n, 2];
  const perRow = docs.map(
    (doc, r) => doc?.map((_, n) => vector(r + n)) ?? null,
  );
  write({
    logits: [docs, list(list(float64()))],
    one: [docs.map((_, row) => vector(row)), list(float64())],
    each: [perRow, list(list(float64()))],
  });
  const expected = expectedOf(docs);
  for (const tangent of ["one", "each"]) {
    const column = await run({ column: "logits", tangent, emit: ["log_jvp"] });
    for (const [k, found] of column("log_jvp").entries()) {
      const { row, position, logits } = expected[k] as (typeof expected)[0];
      const v = vector(tangent === "one" ? row : row + position);
      const p = softmax(logits as number[]);
      const mean = p.reduce((sum, x, j) => sum + x * (v[j] as number), 0);
      for (const [j, x] of v.entries())
        expect((found as unknown as number[])[j]).toBeCloseTo(x - mean, 12);
    }
  }
});

test("an inner list that is null is a bad row", async () => {
  const values = [[[1, 2], null], [[3, null]], [[4, 5]]];
  write({ logits: [values, list(list(float64()))] });
  await expect(run()).rejects.toThrow(
    `${input}: row 0, position 1: expected finite logits or -inf for masked classes, found null`,
  );
  const left = await run({ onBadRow: "skip" });
  expect([left("row"), left("position")]).toEqual([
    [0, 2],
    [0, 0],
  ]);
  const masked = await run({ onBadRow: "null", nullLogit: "mask" });
  expect(
    masked("softmax").map((p) => p && [...(p as unknown as number[])][0]),
  ).toEqual([
    expect.closeTo(1 / (1 + Math.E), 12),
    null,
    1,
    expect.closeTo(1 / (1 + Math.E), 12),
  ]);
  expect(verified("--all").status).toBe(0);
});

test("ragged rows are named by their index", async () => {
  write({ logits: [[[[1, 2]], [[3, 4], [5]]], list(list(float64()))] });
  await expect(run()).rejects.toThrow(
    `${input}: column logits, row 1, position 1: expected 2 values as in the first row, found 1`,
  );
});

test("show and openJacobian find rows of ragged lists", async () => {
  write({ logits: [docs, list(list(float64()))] });
  for (const layout of ["bsr", "coo"] as const) {
    await run({ layout });
    const reader = await built.openJacobian(output);
    expect(reader).toMatchObject({ rows: 10, positionLengths: [4] });
    const [a = 0, b = 0] = softmax(docs[4]?.[3] as number[]);
    const index = { row: 4, position: 3 };
    expect(await reader.entry(index, 0, 1)).toBeCloseTo(-a * b, 12);
    if (layout === "bsr")
      await expect(reader.block({ row: 0, position: 3 })).rejects.toThrow(
        "row 0, position 3: the file has 10 examples, but not this row",
      );
    await reader.close();
    const args = ["--row", "4", "--position", "3"];
    expect(softjac("show", output, ...args).status).toBe(0);
  }
  await expect(run({ layout: "dense" })).rejects.toThrow(
    "layout dense needs as many rows in each list",
  );
});

test("a folder of files is computed in shards", async () => {
  write({ logits: [docs, list(list(float64()))], id: [lengths, int32()] });
  const out = at("dataset/");
  const args = ["--shard-rows", "4", "--keep", "id", "--column", "logits"];
  expect(softjac("run", input, "-o", out, ...args).status).toBe(0);
  const rows: number[] = [];
  for (const k of [0, 1, 2]) {
    const path = `${out}part-0000${k}-of-00003.arrow`;
    const table = tableFromIPC(readFileSync(path), { useBigInt: false });
    rows.push(...(table.getChild("row") ?? []));
    const id = Array.from(table.getChild("id") ?? []);
    expect(id).toEqual(
      Array.from(table.getChild("row") ?? [], (row) => lengths[row]),
    );
    expect(softjac("verify", path, "--input", input).status).toBe(0);
  }
  expect(rows).toEqual(expectedOf(docs).map(({ row }) => row));
  const show = softjac("show", out, "--row", "4", "--position", "2");
  expect(show.stdout).toContain("row 4, position 2");
});

test("offsets that leave the inner lists are refused", async () => {
  write({ logits: [docs, list(list(float64()))] });
  const bytes = readFileSync(input);
  const offsets = Buffer.from(Int32Array.of(0, 3, 3).buffer);
  const start = bytes.indexOf(offsets);
  expect(start).toBeGreaterThan(0);
  for (const damage of [1000, -1]) {
    bytes.writeInt32LE(damage, start + 4);
    writeFileSync(input, bytes);
    await expect(run()).rejects.toThrow(
      "column logits, list 0: expected offsets within 0 to 3",
    );
  }
});

describe("arrow.fixed_shape_tensor", () => {
  const tensor = (shape: number[], more = {}) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Array.from({ length: 2 }, (_, row) =>
      Array.from({ length: size }, (_, k) => ((row * 5 + k * 3) % 7) / 2),
    );
    const table = tableFromColumns({
      logits: columnFromArray(values, fixedSizeList(float64(), size)),
    });
    const [field] = table.schema.fields;
    if (field)
      field.metadata = new Map([
        ["ARROW:extension:name", "arrow.fixed_shape_tensor"],
        ["ARROW:extension:metadata", JSON.stringify({ shape, ...more })],
      ]);
    writeFileSync(input, tableToIPC(table, { format: "file" }) as Uint8Array);
    return values;
  };

  test("of three dimensions", async () => {
    const values = tensor([3, 2, 4]);
    const column = await run();
    expect(column("position_1")).toEqual([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
    expect(column("position_2")).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    for (const [k, p] of column("softmax").entries()) {
      const start = (k % 6) * 4;
      const logits = values[Math.floor(k / 6)]?.slice(start, start + 4) ?? [];
      expect([...(p as unknown as number[])]).toEqual(
        softmax(logits).map((x) => expect.closeTo(x, 12)),
      );
    }
    expect(verified("--all").status).toBe(0);
  });

  test("in another order, or of four dimensions, is refused", async () => {
    tensor([2, 4], { permutation: [0, 1] });
    expect((await run())("row")).toEqual([0, 0, 1, 1]);
    for (const other of [
      () => tensor([4, 2], { permutation: [1, 0] }),
      () => tensor([1, 2, 1, 4]),
    ]) {
      other();
      await expect(run()).rejects.toThrow(
        "expected a tensor of at most three dimensions without a permutation, of which the last is the classes",
      );
    }
  });
});

test("the report page names rows by their index", async () => {
  write({
    logits: [docs, list(list(float64()))],
    label: [lengths.map((_, row) => (row === 4 ? 7 : 1)), int32()],
  });
  await run({ keep: ["label"] });
  const page = at("page.html");
  const made = (...more: string[]) =>
    softjac("report", output, "-o", page, "--force", ...more);
  expect(made().status).toBe(0);
  expect(readFileSync(page, "utf8")).toMatch(/>4, \d<\/t[dh]>/);
  const refused = made("--label", "label");
  expect(refused.status).toBe(65);
  expect(refused.stderr).toContain("row 4, position 0: expected a");
});
