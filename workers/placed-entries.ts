import type { Kernel } from "../src/numeric/kernel.js";
import type {
  EntriesSetup,
  StoreTask,
  WorkerSetup,
} from "../src/pool/protocol.js";
import {
  type EntriesTable,
  placeOfEntry,
} from "../src/results/entries-table.js";
import { EntriesOut } from "./entries-out.js";
import { write } from "./place-blocks.js";

/** Of the output, written by one task: between two, others are heard. */
const TASK_BYTES = 32 << 20;

/** Entries of a task on their way to their places in the output. */
export class PlacedEntries {
  /** Entries so far. */
  written = 0;
  /** What fills, and is written then. */
  readonly out: EntriesOut;
  readonly #table: EntriesTable;

  constructor(
    private readonly setup: WorkerSetup,
    entries: EntriesSetup,
    kernel: Kernel,
    private readonly task: StoreTask,
  ) {
    this.#table = entries.table as EntriesTable;
    this.out = new EntriesOut(kernel, entries, this.#base);
  }

  /** Whether the task has done its part. */
  get enough(): boolean {
    return this.written * this.#table.entryBytes >= TASK_BYTES;
  }

  /** Writes what there is. */
  write(): void {
    const { setup, out } = this;
    const { batchEntries, columns } = this.#table;
    const first = this.#next;
    const end = first + out.used;
    for (const [n, { width, slot }] of columns.entries()) {
      for (let from = first; from < end; ) {
        const to = Math.min(end, from - (from % batchEntries) + batchEntries);
        write(
          setup,
          this.#base + slot + (from - first) * width,
          (to - from) * width,
          placeOfEntry(this.#table, n, from),
        );
        from = to;
      }
    }
    this.written += out.used;
    out.used = 0;
  }

  /** The number of the first entry that has not been written. */
  get #next(): number {
    return this.task.entry + this.written;
  }

  /** Where the slot starts. */
  get #base(): number {
    return this.task.slot * this.setup.slotBytes;
  }
}
