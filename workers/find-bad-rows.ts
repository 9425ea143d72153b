import type { Kernel } from "../src/numeric/kernel.js";
import type { ScanTask, WorkerSetup } from "../src/pool/protocol.js";
import { badRowReason, refuseRow } from "./describe-row.js";
import { loadRows } from "./load-rows.js";

/** Reads the task's rows, a load at a time. Returns those that have no results. */
export function findBadRows(
  setup: WorkerSetup,
  kernel: Kernel,
  { slot, rowStart, rowEnd, pieces }: ScanTask,
): number[] {
  const base = slot * setup.slotBytes;
  const found: number[] = [];
  for (let start = rowStart; start < rowEnd; start += setup.loadRows) {
    const rows = Math.min(setup.loadRows, rowEnd - start);
    loadRows(setup, kernel, pieces, start, start + rows, base);
    for (let r = 0; r < rows; r++)
      if (badRowReason(setup, base, r)) {
        refuseRow(setup, base, r, start + r);
        found.push(start + r);
      }
  }
  return found;
}
