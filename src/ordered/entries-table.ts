import {
  type EntriesBatch,
  EntriesBatchBuilder,
} from "../output/entries-batch.js";
import type { EntriesPart, EntriesTask } from "../pool/protocol.js";
import type { EntriesJob } from "./entries-job.js";

/** A slot that a task has filled, and the memory that it stands in. */
export interface FilledSlot {
  buffer: ArrayBufferLike;
  /** Where the slot starts. */
  base: number;
  task: Pick<EntriesTask, "rowStart" | "rowEnd">;
  part: EntriesPart;
  badRows: number[];
}

/**
 * Puts what tasks leave in their slots, in row order, into record batches. A batch of csr has whole examples, as many as
 * fit; one of coo has so many entries, whichever they are: both depend on the rows alone.
 */
export class EntriesTable {
  #batch: EntriesBatchBuilder;
  #spare: EntriesBatchBuilder;
  #writing: Promise<void> = Promise.resolve();
  /** Entries of the last example that are still to come. */
  #expected = 0;

  constructor(
    private readonly job: EntriesJob,
    private readonly write: (batch: EntriesBatch) => Promise<void>,
  ) {
    this.#batch = new EntriesBatchBuilder(job.columns);
    this.#spare = new EntriesBatchBuilder(job.columns);
  }

  async append(slot: FilledSlot): Promise<void> {
    if (this.job.layout === "coo") await this.#appendEntries(slot);
    else await this.#appendExamples(slot);
  }

  /** Writes the last batch, and waits until all are written. */
  async finish(): Promise<void> {
    if (this.#batch.rows > 0) await this.#close();
    await this.#writing;
  }

  /** Waits for what is being written, whatever becomes of it. */
  async settled(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  async #appendEntries(slot: FilledSlot): Promise<void> {
    const { batchEntries } = this.job.plan;
    for (let from = 0; from < slot.part.entries; ) {
      const room = batchEntries - this.#batch.rows;
      const to = Math.min(from + room, slot.part.entries);
      this.#batch.addRows(slot, this.job.slot.entries.rows, from, to);
      from = to;
      if (this.#batch.rows === batchEntries) await this.#close();
    }
  }

  async #appendExamples(slot: FilledSlot): Promise<void> {
    const { plan, onBadRow, slot: places } = this.job;
    const { part, task, badRows, buffer, base } = slot;
    const counts = new Float64Array(buffer, base + places.entries.counts);
    const bad = new Set(badRows);
    // what has not been taken over yet: rows from `row`, entries from `entry`; the next row's entries start at `end`
    let [row, entry] = [part.from, 0];
    let end = Math.min(this.#expected, part.entries);
    let expected = this.#expected - end;
    const flush = (to: number) => {
      this.#batch.addEntries(slot, entry, end);
      this.#batch.addRows(slot, places.rowNumbers, row, to);
      [row, entry] = [to, end];
    };
    for (let r = part.from; r < part.to; r++) {
      const count = counts[r] as number;
      const isBad = bad.has(task.rowStart + r);
      if (isBad && onBadRow === "skip") {
        flush(r);
        this.#batch.skip(task.rowStart + r);
        row = r + 1;
        continue;
      }
      const rows = this.#batch.rows + r - row;
      const entries = this.#batch.entries + end - entry;
      const full =
        rows === plan.batchExamples || entries + count > plan.batchEntries;
      if (full && rows > 0) {
        flush(r);
        await this.#close();
      }
      this.#batch.addExample(task.rowStart + r, count, isBad);
      expected = count - Math.min(count, part.entries - end);
      end += count - expected;
    }
    flush(part.to);
    this.#expected = expected;
  }

  async #close(): Promise<void> {
    await this.#writing;
    const full = this.#batch;
    [this.#batch, this.#spare] = [this.#spare, full];
    this.#batch.clear();
    this.#writing = this.write(full.batch());
    this.#writing.catch(() => {});
  }
}
