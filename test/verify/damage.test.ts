import { readFileSync, writeFileSync } from "node:fs";
import {
  type Data,
  type RecordBatch,
  RecordBatchFileWriter,
  Schema,
  tableFromIPC,
} from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { verify } from "../../src/verify/verify.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";

const at = workDirectory();
const CLASSES = 4;
const ROWS = 30;
const input = at("in.arrow");
const output = at("out.arrow");
const gauss = normal(random(8));
const logits = Array.from({ length: ROWS * CLASSES }, () => 2 * gauss());
const logit = (r: number, k: number) => logits[r * CLASSES + k] as number;
writeLogits(input, { rows: ROWS, classes: CLASSES, logit });

/** Returns x, some ε further from 0. */
const off = (x: number, epsilons: number) => x * (1 + epsilons * 2 ** -52);

/** Runs, and returns the output to change: apache-arrow's arrays are views of its bytes. */
async function written(options: Partial<RunOptions>) {
  await built.run({ threads: 1, ...options, input, output, force: true });
  const original = readFileSync(output);
  const bytes = Uint8Array.from(original);
  const table = tableFromIPC(bytes);
  const dataOf = (name: string) => table.getChild(name)?.data[0] as Data;
  const valuesOf = (name: string) => {
    const data = dataOf(name);
    return (data.children[0] ?? data).values as Float64Array;
  };
  return {
    get: (name: string, n: number) => Number(valuesOf(name)[n]),
    /** Sets value n of a column. */
    set(name: string, n: number, x: number) {
      valuesOf(name)[n] = (name === "row" ? BigInt(x) : x) as number;
    },
    /** Returns the offsets of the rows in a column of lists. */
    offsets: (name: string) => dataOf(name).valueOffsets,
    /** Verifies the changed bytes. */
    async verify(sample = ROWS) {
      writeFileSync(output, bytes);
      return await verify({ input, output, sample });
    },
    restore: () => bytes.set(original),
  };
}

const jacobian = { emit: ["jacobian"] } as const satisfies Partial<RunOptions>;

test.each(["bsr", "packed", "dense"] as const)("%s", async (layout) => {
  const size = {
    bsr: CLASSES * CLASSES,
    packed: (CLASSES * (CLASSES + 1)) / 2,
    dense: CLASSES * ROWS * CLASSES,
  }[layout];
  /** Index of the first value of a block. */
  const first = (row: number) =>
    row * size + (layout === "dense" ? row * CLASSES : 0);
  const file = await written({ layout, ...jacobian });
  const value = (n: number) => file.get("jacobian", n);

  for (const row of [0, 17, ROWS - 1]) {
    file.set("jacobian", first(row), off(value(first(row)), 40));
    const report = await file.verify();
    expect(report).toMatchObject({
      ok: false,
      columns: [{ name: "jacobian", row, position: 0, bound: 1, unit: "ulp" }],
    });
    expect(report.columns[0]?.maxError).toBeGreaterThan(36);
    expect(report.problems[0]).toMatch(
      `row ${row}: column jacobian, value 0: expected `,
    );
    // The first and the last row are in every sample.
    expect((await file.verify(2)).ok).toBe(row === 17);
    file.restore();
    expect((await file.verify()).ok).toBe(true);
  }

  const [x, y] = [value(first(4)), value(first(4) + 1)];
  file.set("jacobian", first(4), y);
  file.set("jacobian", first(4) + 1, x);
  const { columns } = await file.verify();
  expect(columns).toMatchObject([{ row: 4, ok: false }]);

  file.restore();
  file.set("row", ROWS - 1, 9000);
  for (const sample of [ROWS, 5])
    expect((await file.verify(sample)).problems).toContain(
      `row ${ROWS - 1}: the row is missing`,
    );
  file.restore();
  file.set("row", 9, 25);
  await expect(file.verify()).rejects.toThrow(
    "expected ascending row numbers from 26 to 29, found 10",
  );
  expect((await file.verify(5)).ok).toBe(true);
});

test("dense has a value outside of the blocks", async () => {
  const file = await written({ layout: "dense", ...jacobian });
  const slab = 3 * CLASSES * ROWS * CLASSES;
  file.set("jacobian", slab + (2 * ROWS + 7) * CLASSES + 1, 1e-300);
  expect((await file.verify()).problems).toEqual([
    "row 3: column jacobian: expected 0 outside of [i, 3, j], found 1e-300 at [2, 7, 1]",
  ]);
});

test("factored has a NaN, another class and another tail", async () => {
  const file = await written({ layout: "factored", ...jacobian });
  file.set("softmax", 5 * CLASSES + 2, Number.NaN);
  file.set("argmax", 6, 9);
  file.set("tail", 7, off(file.get("tail", 7), 40));
  expect(await file.verify()).toMatchObject({
    columns: [
      { name: "softmax", row: 5, position: 2, maxError: Infinity, ok: false },
      { name: "argmax", row: 6, position: 0, bound: 0, ok: false },
      { name: "tail", row: 7, position: 0, bound: 1, ok: false },
    ],
  });
});

test("reports list 20 problems", async () => {
  const file = await written({ emit: ["entropy"] });
  for (let r = 0; r < ROWS; r++) file.set("entropy", r, 5);
  const report = await file.verify();
  expect(report.problems).toHaveLength(20);
  expect(report.otherProblems).toBe(ROWS - 20);
});

type Edit = [name: string, n: number, x: number];

describe.each([{ threshold: 1e-3 }, { topK: 6 }])("csr, %j", (choice) => {
  test("values, indices and numbers of dropped entries", async () => {
    const file = await written({ layout: "csr", ...jacobian, ...choice });
    const from = file.offsets("values")[8] as number;
    const value = (n: number) => file.get("values", from + n);
    const [x, y] = [value(0), value(1)];
    const inRow = (row: number, column: string) =>
      new RegExp(`^row ${row}: column ${column}, value \\d: expected `);
    const more = (name: string): Edit => [name, 20, file.get(name, 20) + 1e-9];
    const swapped: Edit[] = [
      ["values", from, y],
      ["values", from + 1, x],
    ];
    const ascending =
      /^row 8: expected ascending indices from 1 to 15, found 0$/;
    for (const [edits, problem, column] of [
      [[["values", from, off(x, -40)]], inRow(8, "values"), "values"],
      [swapped, inRow(8, "values"), "values"],
      [[more("dropped_sum")], inRow(20, "dropped_sum"), "dropped_sum"],
      [[more("dropped_max")], inRow(20, "dropped_max"), "dropped_max"],
      [[["indices", from + 1, 0]], ascending],
      [[["indices", from + 1, 16]], /^row 8: expected .* found 16$/],
    ] as [Edit[], RegExp, string?][]) {
      file.restore();
      for (const edit of edits) file.set(...edit);
      const { problems, columns } = await file.verify();
      expect(problems).toEqual([expect.stringMatching(problem)]);
      const wrong = columns.flatMap(({ ok, name }) => (ok ? [] : [name]));
      expect(wrong).toEqual(column ? [column] : []);
    }
  });

  test("an entry moves to the next row", async () => {
    const file = await written({ layout: "csr", ...jacobian, ...choice });
    for (const name of ["values", "indices"])
      file.offsets(name)[9] = (file.offsets(name)[9] as number) - 1;
    expect((await file.verify()).problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^row 8: the entry \[3, \d\] of .* is missing/),
        expect.stringMatching(/^row 9: expected ascending indices/),
      ]),
    );
  });
});

test("coo: repeated values, classes and row numbers", async () => {
  const emit = ["jacobian", "confidence", "dropped_sum"] as const;
  const options = { layout: "coo", threshold: 1e-3 } as const;
  const file = await written({ ...options, emit: [...emit] });
  const rows: number[] = [];
  while (rows.at(-1) !== ROWS - 1) rows.push(file.get("row", rows.length));
  const n = rows.indexOf(12);
  const value = file.get("confidence", n + 1);
  file.set("confidence", n + 1, off(value, 2));
  expect((await file.verify()).problems).toEqual([
    `row 12: column confidence: expected ${value} in all entries of the row, found ${off(value, 2)}`,
  ]);
  file.restore();
  file.set("j", n, CLASSES);
  expect((await file.verify()).problems[0]).toMatch(
    "found a class that is not from 0 to 3",
  );
  file.restore();
  file.set("row", n + 1, 3);
  await expect(file.verify()).rejects.toThrow(
    "expected ascending row numbers from 12 to 29, found 3",
  );
  file.restore();
  // The entries of the last row have the number of another.
  for (let n = rows.length - 1; file.get("row", n) === 29; n++)
    file.set("row", n, 28);
  const missing = expect.stringMatching("^row 29: the entry .* is missing");
  const found = (await file.verify()).problems;
  expect(found.some((text) => text.startsWith("row 29: "))).toBe(true);
  expect((await file.verify(2)).problems).toEqual([missing]);
});

/** Writes the output again with apache-arrow, with other metadata or some of its rows. */
function rewrite(
  metadata: Record<string, string>,
  parts: [start: number, end: number][] = [[0, ROWS]],
): void {
  const table = tableFromIPC(readFileSync(output));
  const all = [...table.schema.metadata, ...Object.entries(metadata)];
  const writer = new RecordBatchFileWriter();
  writer.reset(undefined, new Schema(table.schema.fields, new Map(all)));
  const [batch] = table.batches as [RecordBatch];
  for (const [start, end] of parts) writer.write(batch.slice(start, end));
  writer.finish();
  writeFileSync(output, writer.toUint8Array(true));
}

test.each(["bsr", "csr"] as const)(
  "%s lacks a bad row that should be null",
  async (layout) => {
    const bad = at("bad.arrow");
    writeLogits(bad, {
      rows: ROWS,
      classes: CLASSES,
      logit: (r, k) => (r === 7 ? Number.NaN : logit(r, k)),
    });
    const run = { input: bad, output, layout, onBadRow: "null" } as const;
    await built.run({ ...run, ...jacobian, force: true } as never);
    const verifyBad = () => verify({ input: bad, output });
    rewrite({});
    expect((await verifyBad()).problems).toEqual([]);
    rewrite({}, [
      [0, 7],
      [8, ROWS],
    ]);
    expect((await verifyBad()).problems).toEqual([
      "row 7: the row is missing: it is a bad row of the input, so nulls are expected",
    ]);
  },
);

describe("a threshold that the metadata change", async () => {
  const csr = { input, output, layout: "csr", force: true } as const;
  await built.run(csr);
  const values = tableFromIPC(readFileSync(output)).getChild("values");
  const sizes = [...(values ?? [])]
    .flatMap((entries) => [...(entries as Iterable<number>)].map(Math.abs))
    .sort((x, y) => x - y);
  const size = sizes[40] as number;
  const equal = sizes.filter((other) => other === size).length;

  // An entry has an error of 3 ε, and the size that it is compared with has one of 4.
  test.each([
    [off(size, 4), off(size, -2), []],
    [off(size, 4), off(size, -30), / of [\d.e-]+ is missing$/],
    [size, off(size, 1), ` found ${size} at `],
  ])("%d becomes %d", async (threshold, stated, expected) => {
    await built.run({ ...csr, emit: ["jacobian"], threshold });
    rewrite({ "softjac.threshold": String(stated) });
    const { problems } = await verify({ input, output });
    if (Array.isArray(expected)) expect(problems).toEqual(expected);
    else {
      const most = typeof expected === "string" ? equal : 20;
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.length).toBeLessThanOrEqual(most);
      for (const problem of problems) expect(problem).toMatch(expected);
    }
  });
});
