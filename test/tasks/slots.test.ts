import fc from "fast-check";
import { expect, test } from "vitest";
import {
  allocateKernelMemory,
  MAX_MEMORY_BYTES,
} from "../../src/tasks/kernel-memory.js";
import { layoutSlot } from "../../src/tasks/slot-layout.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();

const LOGITS = { type: "float32", holds: "logits" } as const;
const LABELS = { type: "int16", holds: "class" } as const;

const anySlot = fc.record({
  storage: fc.constantFrom("fixed-size-list", "list", "columns"),
  rows: fc.constantFrom([1, 1], [7, 3], [64, 64]),
  classes: fc.constantFrom(1, 2, 5, 33),
  isTiled: fc.boolean(),
});

test("regions are aligned, in order, long enough and apart", () => {
  fc.assert(
    fc.property(anySlot, ({ storage, rows, classes, isTiled }) => {
      const [loadRows = 0, rowBlockSize = 0] = rows;
      const tileRows = isTiled ? 1 : classes;
      const slot = layoutSlot({
        ...{ loadRows, rowBlockSize, tileRows, classes, slack: 100 },
        sources: [
          { ...LOGITS, storage, width: 4, values: classes },
          { ...LABELS, storage, width: 2, values: 1 },
        ],
        results: [
          { values: classes, width: 8, block: null },
          { values: classes * classes, width: 8, block: "square" },
          { values: 1, width: 4, block: null },
        ],
      });
      const offsets = storage === "list" ? 4 * (loadRows + 1) : 0;
      const isColumns = storage === "columns" && classes > 1;
      const columns = isColumns ? loadRows * classes * 4 : 0;
      const [logits, labels] = slot.sources;
      const blocks = tileRows === classes ? rowBlockSize * classes : tileRows;
      expect(logits?.values).toBe(logits?.raw);
      let end = 0;
      for (const [start = -1, bytes] of [
        [logits?.staging, offsets + columns],
        [logits?.raw, loadRows * classes * 4],
        [labels?.staging, offsets],
        [labels?.raw, loadRows * 2],
        [labels?.values, loadRows * 8],
        [slot.work, 2 * (2304 + 56 * (classes + (classes & 1))) + 64 * classes],
        [slot.program, 3 * 32],
        [slot.rowNumbers, loadRows * 8],
        [slot.results[0], loadRows * classes * 8 + 100],
        [slot.results[1], blocks * classes * 8 + 100],
        [slot.results[2], loadRows * 4 + 100],
        [slot.badRows, rowBlockSize * 4],
      ] as [number | undefined, number][]) {
        expect(start % 64).toBe(0);
        expect(start).toBeGreaterThanOrEqual(end);
        end = start + bytes;
      }
      expect(slot.bytes).toBeGreaterThanOrEqual(end);
    }),
  );
});

test("slots have addresses of 32 bits for any number of threads", async () => {
  const input = at("wide.arrow");
  await built.generate({ output: input, rows: 100, classes: 100_000 });
  const plan = (threads: number) =>
    built.dryRun({ input, output: at("out.arrow"), layout: "coo", threads });
  expect((await plan(2)).slots).toBe(5);
  const { slots, slotBytes, memoryBytes, threads } = await plan(100);
  expect(201 * slotBytes).toBeGreaterThan(MAX_MEMORY_BYTES);
  expect(memoryBytes).toBeLessThanOrEqual(MAX_MEMORY_BYTES);
  expect(slots).toBeGreaterThan(100);
  expect(threads).toBe(100);
});

test.each(["auto", "plain"] as const)(
  "memory of 2^32 bytes is refused: %s kernel",
  (kernel) => {
    expect(() => allocateKernelMemory(2 ** 32, kernel)).toThrow(
      `expected slots of at most ${MAX_MEMORY_BYTES} bytes, found 4294967296`,
    );
  },
);
