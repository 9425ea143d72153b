import type { Kernel } from "../src/numeric/kernel.js";
import type {
  CountTask,
  EntriesPart,
  EntriesSetup,
  StoreTask,
  WorkerSetup,
} from "../src/pool/protocol.js";
import { EntriesChunk } from "./entries-chunk.js";
import { PlacedEntries } from "./placed-entries.js";

/** The first of two tasks on some rows: their results, and how many entries they have. */
export function countEntries(
  setup: WorkerSetup,
  entries: EntriesSetup,
  kernel: Kernel,
  task: CountTask,
): { badRows: number[]; part: EntriesPart } {
  const chunk = new EntriesChunk(setup, entries, kernel, task);
  const { rows, badRows } = chunk;
  chunk.load(task.pieces);
  let found = 0;
  for (let row = 0; row < rows; row++) found += chunk.begin(row);
  return { badRows, part: { from: 0, to: rows, entries: found, next: null } };
}

/** The second, or a part of it: makes the entries, as many at a time as stay in a cache, and writes them to their places. */
export function storeEntries(
  setup: WorkerSetup,
  entries: EntriesSetup,
  kernel: Kernel,
  task: StoreTask,
): { part: EntriesPart } {
  const chunk = new EntriesChunk(setup, entries, kernel, task);
  const placed = new PlacedEntries(setup, entries, kernel, task);
  let { row, i } = task.from;
  for (; row < chunk.rows && !placed.enough; row++, i = 0) {
    if (chunk.countOf(row) === 0) continue;
    chunk.softmax(row);
    for (; !placed.enough; placed.write()) {
      i = chunk.storeFrom(row, i, placed.out);
      if (i === setup.classes) break;
    }
    if (i < setup.classes) break;
  }
  placed.write();
  const next = row < chunk.rows ? { row, i } : null;
  return { part: { from: 0, to: row, entries: placed.written, next } };
}
