import { describe, expect, test } from "vitest";
import {
  batchRange,
  chunksOf,
  type FixedRowsInput as PlanInput,
  planFixedRows,
} from "../src/run/fixed-rows.js";
import { layoutSlot } from "../src/tasks/slot-layout.js";

/** Softmax and whole blocks. */
function shape(classes: number, width: 4 | 8 = 8) {
  const result = (values: number, block: "square" | null) => ({
    values,
    listSize: values,
    width,
    block,
  });
  return {
    classes,
    sourceBytes: 8 * classes,
    results: [result(classes, null), result(classes * classes, "square")],
  };
}

function planRun(input: PlanInput) {
  const plan = planFixedRows(input);
  const all = Array.from({ length: plan.batchCount }, (_, k) => k);
  const batches = all.map((k) => batchRange(plan, k));
  const chunks = all.flatMap((batch) =>
    chunksOf(plan, batch).map((chunk) => ({ ...chunk, batch })),
  );
  return { ...plan, batches, chunks };
}

const usual: PlanInput = {
  rowStart: 0,
  rows: 1_000_000,
  ...shape(10),
  copiedBytesPerRow: 0,
  threads: 2,
};

function inputs(): PlanInput[] {
  const all: PlanInput[] = [];
  for (const rows of [0, 1, 2, 63, 64, 65, 1000, 100_000])
    for (const classes of [1, 2, 7, 10, 100, 1000, 3000])
      for (const width of [4, 8] as const)
        for (const chunkRows of [undefined, 1, 3, 64, 1e9])
          if (rows * classes <= 1e6 && rows / (chunkRows ?? 1e3) <= 1e3)
            all.push({ ...usual, rows, ...shape(classes, width), chunkRows });
  return all;
}

describe("every plan", () => {
  test("batches and chunks cover the rows once, in order, chunks inside their batch", () => {
    for (const input of inputs()) {
      const { batches, chunks } = planRun(input);
      for (const spans of [batches, chunks]) {
        let next = 0;
        for (const { rowStart, rowEnd } of spans) {
          expect(rowStart).toBe(next);
          expect(rowEnd).toBeGreaterThan(rowStart);
          next = rowEnd;
        }
        expect(next).toBe(input.rows);
      }
      for (const { rowStart, rowEnd, batch } of chunks) {
        expect(rowStart).toBeGreaterThanOrEqual(
          batches[batch]?.rowStart as number,
        );
        expect(rowEnd).toBeLessThanOrEqual(batches[batch]?.rowEnd as number);
      }
    }
  });

  test("record batches depend on neither threads nor chunk size", () => {
    for (const input of inputs())
      for (const threads of [1, 3, 64])
        expect(
          planRun({ ...input, threads, chunkRows: undefined }).batches,
        ).toEqual(planRun(input).batches);
  });

  test("strides fit loads, loads fit chunks, and a slot stays small unless one row of a block is larger", () => {
    for (const input of inputs()) {
      const plan = planRun(input);
      const { classes, results } = input;
      expect(plan.rowBlockSize).toBeLessThanOrEqual(plan.loadRows);
      expect(plan.loadRows).toBeLessThanOrEqual(plan.chunkRows);
      if (plan.tileRows < classes) expect(plan.rowBlockSize).toBe(1);
      const { bytes } = layoutSlot({
        ...plan,
        results,
        slack: 4096,
        sources: [
          {
            storage: "fixed-size-list",
            width: 8,
            values: classes,
            widened: false,
          },
        ],
      });
      expect(bytes).toBeLessThanOrEqual(3 * 2 ** 20 + 64 * classes);
    }
  });
});

test("bodies of 16 to 64 MiB where a row allows it", () => {
  for (const classes of [1, 2, 10, 32, 100, 300, 1000]) {
    const { batchRows } = planRun({
      ...usual,
      rows: 1e7 / classes,
      ...shape(classes),
    });
    const body = batchRows * (8 + 8 * (classes + classes * classes));
    expect(body).toBeGreaterThanOrEqual(16 * 2 ** 20);
    expect(body).toBeLessThanOrEqual(64 * 2 ** 20);
  }
});

test("one row a batch where a block is larger than that", () => {
  const plan = planRun({ ...usual, rows: 3, ...shape(3000) });
  expect(plan.batchRows).toBe(1);
  expect(plan.tileRows).toBe(43);
  expect(plan.chunks).toHaveLength(3);
});

test("small runs take no threads, large ones no more than chunks", () => {
  expect(planRun({ ...usual, rows: 1000 })).toMatchObject({
    threads: 0,
    slots: 1,
  });
  expect(planRun({ ...usual, threads: 4 })).toMatchObject({
    threads: 4,
    slots: 5,
  });
  expect(
    planRun({ ...usual, rows: 3, ...shape(3000), threads: 8 }).threads,
  ).toBe(3);
});

test("threads are started for what is worth their start; those at hand do smaller runs too", () => {
  // 888 bytes a row: 1e4 rows are 8.9 MB, 1e5 are 89 MB.
  const shapeOf = (rows: number) => ({ ...usual, rows, ...shape(10) });
  expect(planRun(shapeOf(1e4)).threads).toBe(0);
  expect(planRun({ ...shapeOf(1e4), threadsAvailable: true }).threads).toBe(2);
  expect(planRun(shapeOf(1e5)).threads).toBe(2);
  expect(planRun({ ...shapeOf(1e3), threadsAvailable: true }).threads).toBe(0);
});

test("a task is a record batch but for the last ones, which threads share", () => {
  const plan = planRun({ ...usual, rows: 1e6, ...shape(10) });
  const perBatch = plan.batches.map(
    (_, n) => plan.chunks.filter(({ batch }) => batch === n).length,
  );
  expect(perBatch.length).toBeGreaterThan(8);
  expect(perBatch.slice(0, -4)).toEqual(perBatch.slice(0, -4).map(() => 1));
  for (const count of perBatch.slice(-4, -1))
    expect(count).toBeGreaterThanOrEqual(4);
  // Where much is read for little, a batch would take its threads for long.
  const scalar = { values: 1, listSize: 1, width: 8, block: null };
  const wide = planRun({
    ...usual,
    rows: 5e7,
    classes: 1000,
    sourceBytes: 8000,
    results: [scalar],
  });
  expect(wide.batches.length).toBeGreaterThan(8);
  for (const { rowStart, rowEnd } of wide.chunks)
    expect((rowEnd - rowStart) * 8016).toBeLessThanOrEqual(49 * 2 ** 20);
  // One that is asked for holds for all.
  const asked = planRun({ ...usual, rows: 1e6, ...shape(10), chunkRows: 640 });
  for (const { rowStart, rowEnd } of asked.chunks)
    expect(rowEnd - rowStart).toBeLessThanOrEqual(640);
});

test("inputs larger than their results keep a slot small: variances of whole covariances", () => {
  for (const classes of [10, 100, 400]) {
    const values = classes * classes;
    const results = [
      { values: classes, listSize: classes, width: 8, block: null },
    ];
    const plan = planRun({
      ...usual,
      rows: 1e5,
      classes,
      results,
      sourceBytes: 8 * (classes + values),
    });
    const source = { storage: "list" as const, width: 8, widened: false };
    const { bytes } = layoutSlot({
      ...plan,
      results,
      slack: 4096,
      sources: [
        { ...source, values: classes },
        { ...source, values },
      ],
    });
    expect(bytes).toBeLessThanOrEqual(6 * 2 ** 20);
  }
});
