import { readFileSync, writeFileSync } from "node:fs";
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
const gauss = normal(random(8));
const logits = Array.from({ length: ROWS * CLASSES }, () => 2 * gauss());
writeLogits(input, {
  rows: ROWS,
  classes: CLASSES,
  logit: (r, k) => logits[r * CLASSES + k] as number,
});

/** The bytes of a file that has been written, and where the values of its columns stand. */
async function written(options: Omit<RunOptions, "input" | "output">) {
  const output = at("out.arrow");
  await built.run({ threads: 1, ...options, input, output, force: true });
  const file = openArrow(output);
  const { fields } = file.schema;
  const [{ context, batch, columns } = never()] = recordBatches(file);
  const placed = (name: string) => {
    const place = fields.findIndex((field) => field.name === name);
    const { type } = fields[place] ?? never();
    const storage: "list" | "fixed-size-list" | "columns" =
      type.kind === "List"
        ? "list"
        : type.kind === "FixedSizeList"
          ? "fixed-size-list"
          : "columns";
    const values = type.kind === "FixedSizeList" ? type.listSize : null;
    const where = { storage, columns: [place], width: 4, values };
    return locateValues({ context, batch, columns }, where);
  };
  const bytes = readFileSync(output);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  file.close();
  return {
    view,
    rows: batch.rows,
    /** Byte of a column's n-th value. */
    place: (name: string, n: number, width = 8) =>
      (placed(name).values[0] as number) + n * width,
    offsets: (name: string) => placed(name).offsets,
    /** What is found of the bytes as they are now. */
    verify: async (rows: "all" | number = "all") => {
      writeFileSync(output, bytes);
      return await verifyValues({ input, output, rows });
    },
  };
}

function never(): never {
  throw new Error("not there");
}

/** x, some ε further from 0. */
const off = (x: number, epsilons: number) => x * (1 + epsilons * 2 ** -52);

describe.each(["bsr", "packed", "dense"] as const)("%s", (layout) => {
  const slab = {
    bsr: CLASSES * CLASSES,
    packed: (CLASSES * (CLASSES + 1)) / 2,
    dense: CLASSES * ROWS * CLASSES,
  }[layout];
  /** Value 0 of a row's block. */
  const first = (row: number) =>
    row * slab + (layout === "dense" ? row * CLASSES : 0);

  test("a value off by 40 ε", async () => {
    for (const row of [0, 17, ROWS - 1]) {
      const file = await written({ layout, emit: ["jacobian"] });
      const place = file.place("jacobian", first(row));
      const value = file.view.getFloat64(place, true);
      file.view.setFloat64(place, off(value, 40), true);
      const report = await file.verify();
      expect(report.ok).toBe(false);
      expect(report.columns).toMatchObject([
        { name: "jacobian", row, position: 0, bound: 3, ok: false },
      ]);
      expect(report.columns[0]?.maxError).toBeGreaterThan(36);
      expect(report.problems[0]).toMatch(
        `row ${row}: column jacobian, value 0: expected `,
      );
      // The first and the last row are in every sample.
      expect((await file.verify(2)).ok).toBe(row === 17);
    }
  });

  test("a high bit of a mantissa; two entries swapped", async () => {
    const file = await written({ layout, emit: ["jacobian"] });
    const place = file.place("jacobian", first(4));
    const high = file.view.getUint8(place + 6);
    file.view.setUint8(place + 6, high ^ 8);
    expect((await file.verify()).problems[0]).toMatch("row 4: ");
    file.view.setUint8(place + 6, high);
    expect((await file.verify()).ok).toBe(true);

    const [x, y] = [0, 8].map((skip) =>
      file.view.getFloat64(place + skip, true),
    ) as [number, number];
    file.view.setFloat64(place, y, true);
    file.view.setFloat64(place + 8, x, true);
    const report = await file.verify();
    expect(report.columns).toMatchObject([{ row: 4, ok: false }]);
    expect(report.laws.map(({ ok }) => ok)).toContain(false);
  });

  test("a row number", async () => {
    const file = await written({ layout, emit: ["jacobian"] });
    file.view.setBigInt64(file.place("row", 9), 25n, true);
    const report = await file.verify();
    expect(report.problems).toEqual([
      "table row 9: expected a row number from 9 to 9, found 25",
      "row 9: the row is missing",
    ]);
    file.view.setBigInt64(file.place("row", 9), 9n, true);
    file.view.setBigInt64(file.place("row", ROWS - 1), 9_000n, true);
    expect((await file.verify()).problems).toEqual([
      `table row ${ROWS - 1}: expected a row number from ${ROWS - 1} to ${ROWS - 1}, found 9000`,
      `row ${ROWS - 1}: the row is missing`,
    ]);
    expect((await file.verify(5)).ok).toBe(false);
  });
});

test("dense: something outside of the blocks", async () => {
  const file = await written({ layout: "dense", emit: ["jacobian"] });
  const slab = CLASSES * ROWS * CLASSES;
  const place = 3 * slab + (2 * ROWS + 7) * CLASSES + 1;
  file.view.setFloat64(file.place("jacobian", place), 1e-300, true);
  const report = await file.verify();
  expect(report.problems).toEqual([
    "row 3: column jacobian: expected 0 outside of [i, 3, j], found 1e-300 at [2, 7, 1]",
  ]);
});

test("values that are no numbers; a whole number; the tail of factors", async () => {
  const file = await written({ layout: "factored", emit: ["jacobian"] });
  file.view.setFloat64(
    file.place("softmax", 5 * CLASSES + 2),
    Number.NaN,
    true,
  );
  file.view.setInt32(file.place("argmax", 6, 4), 9, true);
  const tail = file.place("tail", 7);
  file.view.setFloat64(tail, off(file.view.getFloat64(tail, true), 40), true);
  const report = await file.verify();
  expect(report.columns).toMatchObject([
    { name: "softmax", row: 5, position: 2, maxError: Infinity, ok: false },
    { name: "argmax", row: 6, position: 0, bound: 0, ok: false },
    { name: "tail", row: 7, position: 0, bound: 1, ok: false },
  ]);
  expect(report.laws).toMatchObject([{ worst: Infinity, ok: false }]);
});

test("only so many problems are told", async () => {
  const file = await written({ emit: ["entropy"] });
  for (let r = 0; r < ROWS; r++)
    file.view.setFloat64(file.place("entropy", r), 5, true);
  const report = await file.verify();
  expect(report.problems).toHaveLength(20);
  expect(report.otherProblems).toBe(ROWS - 20);
});

describe.each([{ threshold: 1e-3 }, { topK: 6 }])("csr, %j", (choice) => {
  const options = { layout: "csr", emit: ["jacobian"], ...choice } as const;
  const entriesOf = (file: Awaited<ReturnType<typeof written>>, r: number) => {
    const at = file.offsets("values") + 4 * r;
    return [file.view.getInt32(at, true), file.view.getInt32(at + 4, true)] as [
      number,
      number,
    ];
  };

  test("a value, two values swapped, an index, what was left out", async () => {
    const file = await written(options);
    const [from] = entriesOf(file, 8);
    const value = file.place("values", from);
    const before = file.view.getFloat64(value, true);
    file.view.setFloat64(value, off(before, -40), true);
    const one = await file.verify();
    expect(one.problems).toHaveLength(1);
    expect(one.columns[0]).toMatchObject({ name: "values", row: 8, ok: false });

    const other = file.view.getFloat64(value + 8, true);
    file.view.setFloat64(value, other, true);
    file.view.setFloat64(value + 8, before, true);
    expect((await file.verify()).problems[0]).toMatch(
      "row 8: column values, value ",
    );
    file.view.setFloat64(value, before, true);
    file.view.setFloat64(value + 8, other, true);
    expect((await file.verify()).ok).toBe(true);

    for (const name of ["dropped_sum", "dropped_max"]) {
      const place = file.place(name, 20);
      const left = file.view.getFloat64(place, true);
      file.view.setFloat64(place, left + 1e-9, true);
      expect((await file.verify()).problems).toMatchObject([
        expect.stringMatching(`^row 20: column ${name}, value 0: expected `),
      ]);
      file.view.setFloat64(place, left, true);
    }

    const index = file.place("indices", from + 1, 4);
    file.view.setInt32(index, 0, true);
    expect((await file.verify()).problems[0]).toMatch(
      "row 8: entry 1: expected ascending indices in the block of 4 classes, found [0, 0] after [0, 0]",
    );
    file.view.setInt32(index, CLASSES * CLASSES, true);
    expect((await file.verify()).problems[0]).toMatch("found [4, 0]");
  });

  test("an entry goes to the next row; an entry is another's", async () => {
    const file = await written(options);
    const [, to] = entriesOf(file, 8);
    for (const name of ["values", "indices"])
      file.view.setInt32(file.offsets(name) + 4 * 9, to - 1, true);
    const { problems } = await file.verify();
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^row 8: the entry \[3, \d\] of .* is missing/),
        expect.stringMatching(/^row 9: entry 1: /),
      ]),
    );
  });
});

describe("coo", () => {
  const options = {
    layout: "coo",
    emit: ["jacobian", "confidence", "dropped_sum"],
    threshold: 1e-3,
  } as const;

  test("a repeated value, a class, a row number", async () => {
    const file = await written(options);
    const rowAt = (n: number) =>
      Number(file.view.getBigInt64(file.place("row", n), true));
    const n = Array.from({ length: file.rows }, (_, n) => n).findIndex(
      (n) => rowAt(n) === 12 && rowAt(n + 1) === 12,
    );
    const place = file.place("confidence", n + 1);
    const value = file.view.getFloat64(place, true);
    file.view.setFloat64(place, off(value, 2), true);
    expect((await file.verify()).problems).toEqual([
      `row 12: column confidence: expected ${value} in all entries of the row, found ${off(value, 2)}`,
    ]);
    file.view.setFloat64(place, value, true);

    file.view.setInt32(file.place("j", n, 4), CLASSES, true);
    expect((await file.verify()).problems[0]).toMatch("row 12: entry 0: ");
    file.view.setInt32(file.place("j", n, 4), 0, true);

    file.view.setBigInt64(file.place("row", n + 1), 3n, true);
    const { problems } = await file.verify();
    expect(problems[0]).toBe(
      `table row ${n + 1}: expected a row number from 12 to 12, found 3`,
    );
    expect(problems[1]).toMatch("row 12: the entry ");
  });

  test("the entries of a whole row are another's", async () => {
    const file = await written(options);
    for (let n = 0; n < file.rows; n++) {
      const place = file.place("row", n);
      if (file.view.getBigInt64(place, true) === 29n)
        file.view.setBigInt64(place, 28n, true);
    }
    const { problems } = await file.verify();
    expect(problems.some((text) => text.startsWith("row 29: "))).toBe(true);
    expect((await file.verify(2)).problems).toMatchObject([
      expect.stringMatching("^row 29: the entry .* is missing"),
    ]);
  });
});
