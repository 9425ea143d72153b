import { readFileSync, writeFileSync } from "node:fs";
import {
  type RecordBatch,
  RecordBatchFileWriter,
  Schema,
  tableFromIPC,
} from "apache-arrow";
import { describe, expect, test } from "vitest";
import { openArrow } from "../../src/input/arrow-container.js";
import { locateValues } from "../../src/input/record-batch.js";
import { recordBatches } from "../../src/input/record-batches.js";
import type { RunOptions } from "../../src/options/run-options.js";
import { verifyValues } from "../../src/verify/verify-values.js";
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

/** Runs, and returns the bytes of the output to change. */
async function written(options: Partial<RunOptions>) {
  await built.run({ threads: 1, ...options, input, output, force: true });
  const file = openArrow(output);
  const [record] = recordBatches(file);
  const located = (name: string, width: number) => {
    const index = file.schema.fields.findIndex((field) => field.name === name);
    const type = file.schema.fields[index]?.type;
    const isFixed = type?.kind === "FixedSizeList";
    const values = isFixed ? type.listSize : null;
    const list = type?.kind === "List" ? "list" : "columns";
    const storage = isFixed ? "fixed-size-list" : list;
    const column = { storage, columns: [index], width, values } as const;
    return locateValues(record as NonNullable<typeof record>, column);
  };
  const original = readFileSync(output);
  let bytes = Buffer.from(original);
  file.close();
  const width = (name: string) => (/^(indices|i|j|argmax)$/.test(name) ? 4 : 8);
  const place = (name: string, n: number) =>
    (located(name, width(name)).values[0] as number) + n * width(name);
  const get = (name: string, n: number) => {
    if (name === "row") return Number(bytes.readBigInt64LE(place(name, n)));
    return width(name) === 4
      ? bytes.readInt32LE(place(name, n))
      : bytes.readDoubleLE(place(name, n));
  };
  return {
    get,
    /** Sets value n of a column. */
    set(name: string, n: number, x: number) {
      if (name === "row") bytes.writeBigInt64LE(BigInt(x), place(name, n));
      else if (width(name) === 4) bytes.writeInt32LE(x, place(name, n));
      else bytes.writeDoubleLE(x, place(name, n));
    },
    /** Returns the offset of a row in a column of lists, and replaces it. */
    offset(name: string, row: number, x?: number): number {
      const from = located(name, 4).offsets + 4 * row;
      const old = bytes.readInt32LE(from);
      bytes.writeInt32LE(x ?? old, from);
      return old;
    },
    /** Verifies the changed bytes. */
    async verify(rows = Infinity) {
      writeFileSync(output, bytes);
      return await verifyValues({ input, output, rows });
    },
    restore() {
      bytes = Buffer.from(original);
    },
  };
}

const jacobian = { emit: ["jacobian"] } as const satisfies Partial<RunOptions>;

describe.each(["bsr", "packed", "dense"] as const)("%s", (layout) => {
  const size = {
    bsr: CLASSES * CLASSES,
    packed: (CLASSES * (CLASSES + 1)) / 2,
    dense: CLASSES * ROWS * CLASSES,
  }[layout];
  /** Index of the first value of a block. */
  const first = (row: number) =>
    row * size + (layout === "dense" ? row * CLASSES : 0);

  test.each([0, 17, ROWS - 1])(
    "a value of row %i is off by 40 ε",
    async (row) => {
      const file = await written({ layout, ...jacobian });
      file.set(
        "jacobian",
        first(row),
        off(file.get("jacobian", first(row)), 40),
      );
      const report = await file.verify();
      expect(report).toMatchObject({
        ok: false,
        columns: [
          { name: "jacobian", row, position: 0, bound: 1, unit: "ulp" },
        ],
      });
      expect(report.columns[0]?.maxError).toBeGreaterThan(36);
      expect(report.problems[0]).toMatch(
        `row ${row}: column jacobian, value 0: expected `,
      );
      // The first and the last row are in every sample.
      expect((await file.verify(2)).ok).toBe(row === 17);
    },
  );

  test("two values are swapped", async () => {
    const file = await written({ layout, ...jacobian });
    const [x, y] = [0, 1].map((n) => file.get("jacobian", first(4) + n));
    file.set("jacobian", first(4), y as number);
    file.set("jacobian", first(4) + 1, x as number);
    const report = await file.verify();
    expect(report.columns).toMatchObject([{ row: 4, ok: false }]);
    file.restore();
    expect((await file.verify()).ok).toBe(true);
  });

  test.each([
    [9, 25],
    [ROWS - 1, 9000],
  ])("row number %i is %i", async (row, wrong) => {
    const file = await written({ layout, ...jacobian });
    file.set("row", row, wrong);
    expect((await file.verify()).problems).toEqual([
      `table row ${row}: expected a row number from ${row} to ${row}, found ${wrong}`,
      `row ${row}: the row is missing`,
    ]);
    expect((await file.verify(5)).ok).toBe(wrong < ROWS);
  });
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

describe.each([{ threshold: 1e-3 }, { topK: 6 }])("csr, %j", (choice) => {
  test("values, indices and numbers of dropped entries", async () => {
    const file = await written({ layout: "csr", ...jacobian, ...choice });
    const from = file.offset("values", 8);
    const [x, y] = [0, 1].map((n) => file.get("values", from + n)) as [
      number,
      number,
    ];
    for (const [edits, problem, column] of [
      [[["values", from, off(x, -40)]], /^row 8: column values, /, "values"],
      [
        [
          ["values", from, y],
          ["values", from + 1, x],
        ],
        /^row 8: column values, /,
        "values",
      ],
      [
        [["dropped_sum", 20, file.get("dropped_sum", 20) + 1e-9]],
        /^row 20: column dropped_sum, value 0: expected /,
        "dropped_sum",
      ],
      [
        [["dropped_max", 20, file.get("dropped_max", 20) + 1e-9]],
        /^row 20: column dropped_max, value 0: expected /,
        "dropped_max",
      ],
      [
        [["indices", from + 1, 0]],
        /^row 8: entry 1: expected ascending indices in the block of 4 classes, found \[0, 0\] after \[0, 0\]$/,
      ],
      [[["indices", from + 1, 16]], /^row 8: entry 1: .* found \[4, 0\] after/],
    ] as [[string, number, number][], RegExp, string?][]) {
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
    const to = file.offset("values", 9);
    for (const name of ["values", "indices"]) file.offset(name, 9, to - 1);
    expect((await file.verify()).problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^row 8: the entry \[3, \d\] of .* is missing/),
        expect.stringMatching(/^row 9: entry 1: /),
      ]),
    );
  });
});

describe("coo", async () => {
  const options = {
    layout: "coo",
    emit: ["jacobian", "confidence", "dropped_sum"],
    threshold: 1e-3,
  } as const;
  const rows = (file: Awaited<ReturnType<typeof written>>) => {
    const found: number[] = [];
    while (found.at(-1) !== ROWS - 1) found.push(file.get("row", found.length));
    return found;
  };

  test("repeated values, classes and row numbers", async () => {
    const file = await written({ ...options, emit: [...options.emit] });
    const n = rows(file).indexOf(12);
    const value = file.get("confidence", n + 1);
    file.set("confidence", n + 1, off(value, 2));
    expect((await file.verify()).problems).toEqual([
      `row 12: column confidence: expected ${value} in all entries of the row, found ${off(value, 2)}`,
    ]);
    file.restore();
    file.set("j", n, CLASSES);
    expect((await file.verify()).problems[0]).toMatch("row 12: entry 0: ");
    file.restore();
    file.set("row", n + 1, 3);
    const { problems } = await file.verify();
    expect(problems[0]).toBe(
      `table row ${n + 1}: expected a row number from 12 to 12, found 3`,
    );
    expect(problems[1]).toMatch("row 12: the entry ");
  });

  test("the entries of a row have the number of another", async () => {
    const file = await written({ ...options, emit: [...options.emit] });
    const first = rows(file).indexOf(29);
    for (let n = first; n < first + CLASSES ** 2; n++)
      if (file.get("row", n) === 29) file.set("row", n, 28);
    const missing = expect.stringMatching("^row 29: the entry .* is missing");
    const { problems } = await file.verify();
    expect(problems.some((text) => text.startsWith("row 29: "))).toBe(true);
    expect((await file.verify(2)).problems).toEqual([missing]);
  });
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

test.each(["bsr", "packed", "factored", "csr"] as const)(
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
    const verify = () => verifyValues({ input: bad, output });
    rewrite({});
    expect((await verify()).problems).toEqual([]);
    rewrite({}, [
      [0, 7],
      [8, ROWS],
    ]);
    expect((await verify()).problems).toEqual([
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
    const { problems } = await verifyValues({ input, output });
    if (Array.isArray(expected)) expect(problems).toEqual(expected);
    else {
      const most = typeof expected === "string" ? equal : 20;
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.length).toBeLessThanOrEqual(most);
      for (const problem of problems) expect(problem).toMatch(expected);
    }
  });
});
