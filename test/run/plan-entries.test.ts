import { expect, test } from "vitest";
import { planEntriesRows, rowsOfNextTask } from "../../src/run/entries-rows.js";

const MiB = 2 ** 20;
const usual = { rowStart: 0, rows: 1e6, topK: undefined, threads: 2 };

test("record batches have 16 to 64 MiB and slots a few MiB for any number of classes", () => {
  for (const classes of [1, 2, 10, 300, 3000, 46_340])
    for (const layout of ["csr", "coo"] as const)
      for (const width of [4, 8]) {
        const entryBytes = layout === "csr" ? 4 + width : 16 + width;
        const exampleBytes = 40 + classes * width;
        const plan = planEntriesRows({
          ...usual,
          classes,
          layout,
          sourceBytes: classes * width,
          exampleBytes,
          entryBytes,
        });
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
      }
});

test("a task has as many rows as should fill two thirds of a slot, at least one, at most those of a slot", () => {
  const plan = planEntriesRows({
    ...usual,
    classes: 100,
    layout: "coo",
    sourceBytes: 800,
    exampleBytes: 8,
    entryBytes: 24,
  });
  const { slotEntries, chunkRows } = plan;
  expect(rowsOfNextTask(plan, 0, 0)).toBe(
    Math.floor((2 * slotEntries) / 3 / 10_000),
  );
  expect(rowsOfNextTask(plan, 10, 5000)).toBe(
    Math.floor((2 * slotEntries) / 3 / 500),
  );
  expect(rowsOfNextTask(plan, 10, 1e9)).toBe(1);
  expect(rowsOfNextTask(plan, 1000, 0)).toBe(chunkRows);
});

test("topK limits the entries per row; small runs use no threads", () => {
  const input = {
    ...usual,
    layout: "csr",
    sourceBytes: 80,
    exampleBytes: 40,
    entryBytes: 12,
    classes: 10,
  } as const;
  expect(planEntriesRows({ ...input, topK: 7 })).toMatchObject({
    maxEntries: 7,
    maxBytes: 1e6 * (40 + 7 * 12),
    threads: 2,
    slots: 5,
  });
  expect(planEntriesRows({ ...input, topK: 1000 }).maxEntries).toBe(100);
  // A row needs space for all equal entries before all but the first are dropped.
  expect(planEntriesRows({ ...input, topK: 1, chunkRows: 3 }).slotEntries).toBe(
    10,
  );
  expect(planEntriesRows({ ...input, rows: 100 })).toMatchObject({
    threads: 0,
    slots: 1,
  });
  expect(planEntriesRows({ ...input, rows: 0 }).chunkRows).toBe(1);
});
