import { expect, test } from "vitest";
import {
  layoutSlot,
  type SlotSpec,
  type SourceOffsets,
} from "../../src/tasks/slot-layout.js";

test("regions are aligned, in order, long enough and apart", () => {
  for (const storage of ["fixed-size-list", "list", "columns"] as const)
    for (const [loadRows, rowBlockSize] of [
      [1, 1],
      [7, 3],
      [64, 64],
    ] as const)
      for (const classes of [1, 2, 5, 33])
        for (const tileRows of [1, classes]) {
          const spec: SlotSpec = {
            loadRows,
            rowBlockSize,
            tileRows,
            classes,
            slack: 100,
            sources: [
              { storage, width: 4, values: classes, widened: false },
              { storage, width: 2, values: 1, widened: true },
            ],
            results: [
              { values: classes, width: 8, block: null },
              { values: classes * classes, width: 8, block: "square" },
              { values: 1, width: 4, block: null },
            ],
          };
          const slot = layoutSlot(spec);
          const offsets = storage === "list" ? 4 * (loadRows + 1) : 0;
          const columns =
            storage === "columns" && classes > 1 ? loadRows * classes * 4 : 0;
          const [logits, labels] = slot.sources as [
            SourceOffsets,
            SourceOffsets,
          ];
          expect(logits.values).toBe(logits.raw);
          const blocks =
            tileRows === classes ? rowBlockSize * classes : tileRows;
          const regions: [start: number, bytes: number][] = [
            [logits.staging, offsets + columns],
            [logits.raw, loadRows * classes * 4],
            [labels.staging, offsets],
            [labels.raw, loadRows * 2],
            [labels.values, loadRows * 8],
            [
              slot.work,
              2 * (2304 + 56 * (classes + (classes & 1))) + 64 * classes,
            ],
            [slot.program, 3 * 32],
            [slot.rowNumbers, loadRows * 8],
            [slot.results[0] as number, loadRows * classes * 8 + 100],
            [slot.results[1] as number, blocks * classes * 8 + 100],
            [slot.results[2] as number, loadRows * 4 + 100],
            [slot.badRows, rowBlockSize * 4],
          ];
          let end = 0;
          for (const [start, bytes] of regions) {
            expect(start % 64).toBe(0);
            expect(start).toBeGreaterThanOrEqual(end);
            end = start + bytes;
          }
          expect(slot.bytes).toBeGreaterThanOrEqual(end);
        }
});
