import type { Kernel } from "../src/numeric/kernel.js";
import type {
  EntriesPart,
  EntriesSetup,
  EntriesTask,
  WorkerSetup,
} from "../src/pool/protocol.js";
import { EntriesChunk } from "./entries-chunk.js";
import { EntriesOut } from "./entries-out.js";

/**
 * One task of the ordered writer: the results and entries of its rows into the slot, until it is full or the rows are
 * done. What the kernel found of a row that did not fit stays in the slot, for the task that goes on.
 */
export function computeEntries(
  setup: WorkerSetup,
  entries: EntriesSetup,
  kernel: Kernel,
  task: EntriesTask,
): { badRows: number[]; part: EntriesPart } {
  const chunk = new EntriesChunk(setup, entries, kernel, task);
  const base = task.slot * setup.slotBytes;
  const out = new EntriesOut(kernel, entries, base);
  const { rows } = chunk;
  const from = task.from ?? { row: 0, i: -1 };
  if (!task.from) chunk.load(task.pieces);
  let { row, i } = from;
  const begun = i < 0 ? row : row + 1;
  for (; row < rows; row++, i = -1) {
    if (i < 0) {
      if (out.room === 0) break;
      chunk.begin(row);
      i = 0;
    }
    i = chunk.storeFrom(row, i, out);
    if (i < setup.classes) break;
  }
  return {
    badRows: chunk.badRows,
    part: {
      from: begun,
      to: i < 0 ? row : Math.min(row + 1, rows),
      entries: out.used,
      next: row < rows ? { row, i } : null,
    },
  };
}
