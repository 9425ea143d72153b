import { readFileSync } from "node:fs";
import {
  columnFromArray,
  tableFromColumns,
  tableToIPC,
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
import { softjac } from "../cli/support.js";
import { type Columns, typeOf } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import {
  inputRuns,
  near,
  type Options,
  patched,
  softmaxOf,
} from "../support/input-runs.js";
import { outputOf } from "../support/runs.js";

// Columns of lists of lists: each inner list is a row. Lists that are null or empty have no rows.

const runs = inputRuns();
const { at, input, output, run, verified, refused } = runs;
/** Writes columns in record batches of two rows. */
const write = (columns: Columns) => runs.write(columns, 2);

type Nested = ((number | null)[] | null)[] | null;
const lengths = [3, 0, 2, null, 4, 1];
const docs: Nested[] = lengths.map((length, row) =>
  length === null
    ? null
    : Array.from({ length }, (_, position) =>
        [0, 1, 2].map((k) => ((row * 7 + position * 5 + k * 3) % 11) / 2 - 2),
      ),
);
const square: Nested[] = docs.map((doc, row) =>
  [0, 1].map((n) => doc?.[n] ?? [row, n, 0.5]),
);
const doubles: Columns[string] = [docs, "list<list<float64>>"];

/** Returns, for each list of docs, a value for each inner list. */
const each = <T>(of: (row: number, position: number) => T) =>
  docs.map((doc, row) => doc?.map((_, position) => of(row, position)) ?? null);
const rowsOf = (values: readonly Nested[]) =>
  values.flatMap((doc, row) =>
    (doc ?? []).map((logits, position) => ({
      ...{ row, position, logits: logits as number[] },
    })),
  );
const ROWS = rowsOf(docs);
/** Returns the exact softmax of a row. */
const exact = (row: readonly number[]) =>
  Array.from(
    built.softmax(Float64Array.from(row), { rows: 1, classes: row.length }),
  );

const FORMS: Record<string, Nested[]> = {
  "list<list<float32>>": docs,
  "large_list<large_list<float64>>": docs,
  "list<fixed_size_list<float64>[3]>": docs,
  "fixed_size_list<fixed_size_list<float32>[3]>[2]": square,
  "fixed_size_list<list<float64>>[2]": square.with(1, null).with(4, null),
  "list<list<int32>>": each(
    (r, n) => docs[r]?.[n]?.map((x) => Math.round(2 * (x ?? 0))) ?? null,
  ),
};

describe.each(Object.entries(FORMS))("%s", (type, values) => {
  const expected = rowsOf(values);
  const names = values.map((_, k) => `text ${k}`);

  test.each(["bsr", "csr", "coo", "factored"] as const)(
    "layout %s",
    async (layout) => {
      write({ logits: [values, type], id: [names, "utf8"] });
      const keep = layout === "coo" ? [] : ["id"];
      const { column } = await verified({ layout, keep, column: "logits" });
      const positions = column("position");
      const index = column("row").map((row, k) => `${row}, ${positions[k]}`);
      expect([...new Set(index)]).toEqual(
        expected.map(({ row, position }) => `${row}, ${position}`),
      );
      if (layout === "coo") return;
      expect(column("id")).toEqual(expected.map(({ row }) => names[row]));
      expect(column("softmax")).toEqual(
        expected.map(({ logits }) => softmaxOf(logits, 6)),
      );
    },
  );
});

test("found without --column, after lists of floats", async () => {
  write({
    input_ids: [each((_, n) => n), "list<int32>"],
    scores: [docs, "list<list<float32>>"],
  });
  expect((await run()).column("row")).toHaveLength(10);
  const flat: Columns[string] = [docs.map((_, k) => [k, 1]), "list<float32>"];
  write({ x: flat, scores: doubles });
  expect((await run()).column("row")).toHaveLength(6);
});

test("labels of a list, one per inner list or one for all", async () => {
  const one = docs.map((_, row) => row % 3);
  const perRow = each((row, n) => (row + n) % 3);
  write({
    logits: doubles,
    one: [one, "int64"],
    each: [perRow, "list<int32>"],
    short: [perRow.with(2, [0]), "list<int32>"],
  });
  const emit: Options["emit"] = ["cross_entropy"];
  for (const label of ["one", "each"]) {
    const { column } = await verified({ label, emit });
    expect(column("cross_entropy")).toEqual(
      ROWS.map(({ row, position, logits }) => {
        const own = label === "one" ? one[row] : perRow[row]?.[position];
        return near(-Math.log(exact(logits)[own ?? -1] as number));
      }),
    );
  }
  await refused(
    { label: "short", emit },
    "column short, row 2: expected 2 values, one for each list of logits, found 1",
  );
});

test("vectors for each table row or each inner list", async () => {
  const vector = (n: number) => [n + 0.5, -n, 2];
  write({
    logits: doubles,
    one: [docs.map((_, row) => vector(row)), "list<float64>"],
    each: [each((row, n) => vector(row + n)), "list<list<float64>>"],
  });
  const options: Options = { column: "logits", emit: ["log_jvp"] };
  for (const tangent of ["one", "each"]) {
    const { column } = await verified({ ...options, tangent });
    expect(column("log_jvp")).toEqual(
      ROWS.map(({ row, position, logits }) => {
        const v = vector(tangent === "one" ? row : row + position);
        const p = exact(logits);
        const mean = p.reduce((sum, x, j) => sum + x * (v[j] as number), 0);
        return v.map((x) => near(x - mean));
      }),
    );
  }
});

test("copied lists of as many values as there are inner lists are copied one by one", async () => {
  const ids = each((row, n) => (n === 1 ? null : 10 * row + n));
  const words = each((row, n) => `word ${row}.${n}`);
  write({
    logits: doubles,
    ids: [ids, "list<int32>"],
    words: [words, "large_list<utf8>"],
    other: [docs.map((_, row) => [row]), "list<int32>"],
  });
  const keep = ["words", "other", "ids"];
  for (const layout of ["bsr", "csr"] as const) {
    const { column } = await verified({ column: "logits", keep, layout });
    expect(column("ids")).toEqual(ids.flatMap((list) => list ?? []));
    expect(column("words")).toEqual(words.flatMap((list) => list ?? []));
    expect(column("other")).toEqual(ROWS.map(({ row }) => [row]));
  }
});

test("copied lists are matched by their offsets, also where a null list has values", async () => {
  // The second list of three is null.
  const lists = (offsets: number[], child: Data) =>
    makeData({
      type: new List(new Field("item", child.type, true)),
      ...{ length: 3, nullCount: 1, nullBitmap: Uint8Array.of(0b101) },
      ...{ valueOffsets: Int32Array.from(offsets), child },
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
  runs.write(writeIPC(table, "file"));
  const { column } = await run({ column: "logits", keep: ["ids"] });
  expect(column("row")).toEqual([0, 2]);
  expect(column("ids")).toEqual([7, 9]);
});

test("a note counts the table rows that are null", async () => {
  write({ logits: doubles });
  expect((await run()).warnings).toEqual([
    "column logits is null in 1 of 6 table rows, which have no rows in the output",
  ]);
});

test("an inner list that is null is a bad row", async () => {
  const values = [[[1, 2], null], [[3, null]], [[4, 5]]];
  write({ logits: [values, "list<list<float64>>"] });
  await expect(run()).rejects.toThrow(
    `${input}: row 0, position 1: expected finite logits or -inf for masked classes, found null`,
  );
  const left = await run({ onBadRow: "skip" });
  expect(left.column("row")).toEqual([0, 2]);
  expect(left.column("position")).toEqual([0, 0]);
  const masked = await verified({ onBadRow: "null", nullLogit: "mask" });
  const [a, b, c] = [softmaxOf([1, 2]), [1, 0], softmaxOf([4, 5])];
  expect(masked.column("softmax")).toEqual([a, null, b, c]);
});

test("ragged rows are named by their index", async () => {
  write({ logits: [[[[1, 2]], [[3, 4], [5]]], "list<list<float64>>"] });
  await expect(run()).rejects.toThrow(
    `${input}: column logits, row 1, position 1: expected 2 values as in the first row, found 1`,
  );
});

test("show and openJacobian find rows of ragged lists", async () => {
  write({ logits: doubles });
  for (const layout of ["bsr", "coo"] as const) {
    await run({ layout });
    const reader = await built.openJacobian(output);
    expect(reader).toMatchObject({ rows: 10, positionLengths: [4] });
    const [a = 0, b = 0] = exact(docs[4]?.[3] as number[]);
    const entry = await reader.entry({ row: 4, position: 3 }, 0, 1);
    expect(entry).toBeCloseTo(-a * b, 12);
    if (layout === "bsr")
      await expect(reader.block({ row: 0, position: 3 })).rejects.toThrow(
        "row 0, position 3: no such row; the file has 10 rows",
      );
    await reader.close();
    const args = ["--row", "4", "--position", "3"];
    expect(softjac("show", output, ...args).status).toBe(0);
  }
  await expect(run({ layout: "dense" })).rejects.toThrow(
    "layout dense needs as many rows in each list",
  );
});

test("a folder of files is computed in shards", () => {
  write({ logits: doubles, id: [lengths, "int32"] });
  const out = at("dataset/");
  const args = ["--shard-rows", "4", "--keep", "id", "--column", "logits"];
  expect(softjac("run", input, "-o", out, ...args).status).toBe(0);
  const found = [0, 1, 2].flatMap((k) => {
    const path = `${out}part-0000${k}-of-00003.arrow`;
    expect(softjac("verify", path, "--input", input).status).toBe(0);
    const { column } = outputOf(path);
    const rows = column("row") as number[];
    expect(column("id")).toEqual(rows.map((row) => lengths[row]));
    return rows;
  });
  expect(found).toEqual(ROWS.map(({ row }) => row));
  const show = softjac("show", out, "--row", "4", "--position", "2");
  expect(show.stdout).toContain("row 4, position 2");
});

test.each([1000, -1])("an offset of %i is refused", async (damage) => {
  const bytes = write({ logits: doubles });
  const offsets = Int32Array.of(0, 3, 3);
  runs.write(patched(bytes, offsets, offsets.with(1, damage)));
  await expect(run()).rejects.toThrow(
    "column logits, list 0: expected offsets within 0 to 3",
  );
});

describe("arrow.fixed_shape_tensor", () => {
  const tensor = (shape: number[], more = {}) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = [0, 1].map((row) =>
      Array.from({ length: size }, (_, k) => ((row * 5 + k * 3) % 7) / 2),
    );
    const type = `fixed_size_list<float64>[${size}]`;
    const logits = columnFromArray(values, typeOf(type));
    const table = tableFromColumns({ logits });
    const [field] = table.schema.fields;
    if (field)
      field.metadata = new Map([
        ["ARROW:extension:name", "arrow.fixed_shape_tensor"],
        ["ARROW:extension:metadata", JSON.stringify({ shape, ...more })],
      ]);
    runs.write(tableToIPC(table, { format: "file" }) as Uint8Array);
    return values.flat();
  };

  test("of three dimensions", async () => {
    const values = tensor([3, 2, 4]);
    const { column } = await verified();
    expect(column("position_1")).toEqual([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
    expect(column("position_2")).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    expect(column("softmax")).toEqual(
      Array.from({ length: 12 }, (_, k) =>
        softmaxOf(values.slice(4 * k, 4 * k + 4)),
      ),
    );
  });

  test("in another order, or of four dimensions, is refused", async () => {
    tensor([2, 4], { permutation: [0, 1] });
    expect((await run()).column("row")).toEqual([0, 0, 1, 1]);
    for (const [shape, more] of [
      [[4, 2], { permutation: [1, 0] }],
      [[1, 2, 1, 4], {}],
    ] as const) {
      tensor([...shape], more);
      await expect(run()).rejects.toThrow(
        "expected a tensor of at most three dimensions without a permutation, of which the last is the classes",
      );
    }
  });
});

test("the report page names rows by their index", async () => {
  const label = lengths.map((_, row) => (row === 4 ? 7 : 1));
  write({ logits: doubles, label: [label, "int32"] });
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
