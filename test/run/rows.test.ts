import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planEntriesRows } from "../../src/run/entries-plan.js";
import {
  batchRange,
  chunksOf,
  type FixedRowsInput,
  planFixedRows,
} from "../../src/run/fixed-rows.js";
import { layoutSlot } from "../../src/tasks/slot-layout.js";
import { upTo } from "../support/runs.js";

const MiB = 2 ** 20;

/** Softmax and whole blocks. */
function shape(classes: number, width: 4 | 8 = 8) {
  const result = (values: number, block: "square" | null) => ({
    ...{ values, listSize: values, width, block },
  });
  const results = [result(classes, null), result(classes * classes, "square")];
  return { classes, sourceBytes: 8 * classes, results };
}
const scalar = { values: 1, listSize: 1, width: 8, block: null } as const;
const usual: FixedRowsInput = {
  ...{ rowStart: 0, rows: 1_000_000, copiedBytesPerRow: 0, threads: 2 },
  ...shape(10),
};

/** Plans rows of known size, and lists their record batches and tasks. */
function planOf(change: Partial<FixedRowsInput> = {}) {
  const plan = planFixedRows({ ...usual, ...change });
  const batches = upTo(plan.batchCount).map((k) => batchRange(plan, k));
  return { ...plan, batches, chunks: batches.map((_, k) => chunksOf(plan, k)) };
}

function slotBytes(input: FixedRowsInput, values: number[]): number {
  const { results } = input;
  const sources = values.map((values) => ({
    ...({ storage: "fixed-size-list", type: "float64" } as const),
    ...{ width: 8, values, holds: "logits" as const },
  }));
  const plan = planFixedRows(input);
  return layoutSlot({ ...plan, results, slack: 4096, sources }).bytes;
}

const anyInput = fc
  .record({
    rowStart: fc.constantFrom(0, 17),
    rows: fc.constantFrom(0, 1, 2, 63, 64, 65, 1000, 100_000),
    classes: fc.constantFrom(1, 2, 7, 10, 100, 1000, 3000),
    width: fc.constantFrom(4 as const, 8 as const),
    threads: fc.constantFrom(1, 2, 3, 64),
    chunkRows: fc.constantFrom(undefined, 1, 3, 64, 1e9),
  })
  .filter(
    ({ rows, classes, chunkRows }) =>
      rows * classes <= 1e6 && rows / (chunkRows ?? 1e3) <= 1e3,
  )
  .map(({ classes, width, ...others }) => ({
    ...others,
    ...shape(classes, width),
  }));

test("every plan covers the rows once, in order, in batches that depend on neither threads nor tasks; slots are small", () => {
  fc.assert(
    fc.property(anyInput, (input) => {
      const plan = planOf(input);
      const { batches, chunks, classes } = plan;
      const end = input.rowStart + input.rows;
      for (const [spans, start, last] of [
        [batches, input.rowStart, end] as const,
        ...batches.map(
          ({ rowStart, rowEnd }, k) =>
            [chunks[k] ?? [], rowStart, rowEnd] as const,
        ),
      ]) {
        const ends = [start, ...spans.map(({ rowEnd }) => rowEnd)];
        expect(spans.map(({ rowStart }) => rowStart)).toEqual(
          ends.slice(0, -1),
        );
        expect(ends.at(-1)).toBe(last);
        for (const { rowStart, rowEnd } of spans)
          expect(rowEnd).toBeGreaterThan(rowStart);
      }
      expect(
        planOf({ ...input, threads: 5, chunkRows: undefined }).batches,
      ).toEqual(batches);
      expect(plan.rowBlockSize).toBeLessThanOrEqual(plan.loadRows);
      expect(plan.loadRows).toBeLessThanOrEqual(plan.chunkRows);
      if (plan.tileRows < classes) expect(plan.rowBlockSize).toBe(1);
      const bytes = slotBytes({ ...usual, ...input }, [classes]);
      expect(bytes).toBeLessThanOrEqual(3 * MiB + 64 * classes);
    }),
    { numRuns: 600 },
  );
});

test.each([1, 2, 10, 32, 100, 300, 1000])(
  "bodies have 16 to 64 MiB: %i classes",
  (classes) => {
    const { batchRows } = planOf({ rows: 1e7 / classes, ...shape(classes) });
    const body = batchRows * (8 + 8 * (classes + classes * classes));
    expect(body).toBeGreaterThanOrEqual(16 * MiB);
    expect(body).toBeLessThanOrEqual(64 * MiB);
  },
);

const few = { rows: 3, ...shape(3000) };
const running = { threadsAvailable: true };
const alone = { batchRows: 1, tileRows: 43, chunkCount: 3 };

test.each<[string, Partial<FixedRowsInput>, object]>([
  ["a larger block is a batch of its own", few, alone],
  ["small runs use no threads", { rows: 1000 }, { threads: 0, slots: 1 }],
  ["large runs use all threads", { threads: 4 }, { threads: 4, slots: 5 }],
  ["at most as many threads as tasks", { ...few, threads: 8 }, { threads: 3 }],
  // 888 bytes a row: 1e4 rows are 8.9 MB, 1e5 are 89 MB.
  ["8.9 MB are not worth starting threads", { rows: 1e4 }, { threads: 0 }],
  ["8.9 MB are worth running ones", { rows: 1e4, ...running }, { threads: 2 }],
  ["89 MB are worth starting threads", { rows: 1e5 }, { threads: 2 }],
  [
    "0.9 MB are not worth running ones",
    { rows: 1e3, ...running },
    { threads: 0 },
  ],
])("%s", (_, change, expected) => {
  expect(planOf(change)).toMatchObject(expected);
});

test("a task is a record batch except for the last ones, which threads share", () => {
  const perBatch = planOf().chunks.map(({ length }) => length);
  expect(perBatch.length).toBeGreaterThan(8);
  expect(new Set(perBatch.slice(0, -4))).toEqual(new Set([1]));
  expect(Math.min(...perBatch.slice(-4, -1))).toBeGreaterThanOrEqual(4);
  const largest = (change: Partial<FixedRowsInput>) =>
    Math.max(
      ...planOf(change)
        .chunks.flat()
        .map(({ rowStart, rowEnd }) => rowEnd - rowStart),
    );
  // Rows of which much is read for small results, so that a batch would occupy a thread for long.
  const wide = { classes: 1000, sourceBytes: 8000, results: [scalar] };
  expect(planOf({ rows: 5e7, ...wide }).batchCount).toBeGreaterThan(8);
  expect(largest({ rows: 5e7, ...wide }) * 8016).toBeLessThanOrEqual(49 * MiB);
  expect(largest({ chunkRows: 640 })).toBeLessThanOrEqual(640);
});

test.each([10, 100, 400])(
  "inputs larger than their results keep a slot small: variances of covariances of %i classes",
  (classes) => {
    const values = classes * classes;
    const results = [{ ...scalar, values: classes, listSize: classes }];
    const sourceBytes = 8 * (classes + values);
    const change = { rows: 1e5, classes, results, sourceBytes };
    const bytes = slotBytes({ ...usual, ...change }, [classes, values]);
    expect(bytes).toBeLessThanOrEqual(6 * MiB);
  },
);

describe("rows of csr and coo", () => {
  const entries = { rowStart: 0, rows: 1e6, topK: undefined, threads: 2 };

  test.each(
    [1, 2, 10, 300, 3000, 46_340].flatMap((classes) =>
      (["csr", "coo"] as const).flatMap((layout) =>
        ([4, 8] as const).map((width) => ({ classes, layout, width })),
      ),
    ),
  )(
    "record batches have 16 to 64 MiB and slots a few MiB: %j",
    ({ classes, layout, width }) => {
      const entryBytes = layout === "csr" ? 4 + width : 16 + width;
      const exampleBytes = 40 + classes * width;
      const sourceBytes = classes * width;
      const bytes = { sourceBytes, exampleBytes, entryBytes };
      const plan = planEntriesRows({ ...entries, classes, layout, ...bytes });
      expect(plan.batchEntries * entryBytes).toBeGreaterThan(16 * MiB);
      expect(plan.batchEntries * entryBytes).toBeLessThan(32 * MiB);
      expect(plan.batchEntries % 64).toBe(0);
      if (layout === "csr")
        expect(plan.batchExamples * exampleBytes).toBeLessThan(32 * MiB);
      expect(plan.slotEntries).toBeGreaterThanOrEqual(classes);
      expect(plan.slotEntries * entryBytes).toBeLessThanOrEqual(
        Math.max(8 * MiB, classes * entryBytes),
      );
      expect(plan.chunkRows).toBeGreaterThanOrEqual(1);
      expect(plan.maxEntries).toBe(classes * classes);
    },
  );

  test.each([
    [
      { topK: 7 },
      { maxEntries: 7, maxBytes: 1e6 * (40 + 7 * 12), threads: 2, slots: 5 },
    ],
    [{ topK: 1000 }, { maxEntries: 100 }],
    // A row needs space for all equal entries before all but the first are dropped.
    [{ topK: 1, chunkRows: 3 }, { slotEntries: 10 }],
    [{ rows: 100 }, { threads: 0, slots: 1 }],
    [{ rows: 0 }, { chunkRows: 1 }],
  ])("%j", (change, expected) => {
    const bytes = { sourceBytes: 80, exampleBytes: 40, entryBytes: 12 };
    const input = { ...entries, layout: "csr" as const, ...bytes, classes: 10 };
    expect(planEntriesRows({ ...input, ...change })).toMatchObject(expected);
  });
});
