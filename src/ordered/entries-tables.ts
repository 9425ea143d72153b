import {
  type EntriesBatch,
  EntriesBatchBuilder,
} from "../output/entries-batch.js";
import type { EntriesJob, PlacedColumn } from "./entries-job.js";
import type { EntriesSink, FilledSlot } from "./entries-sink.js";

/**
 * Collects the table of layout csr. A record batch has as many whole examples as fit, which depends on the rows alone. The
 * offsets of its columns are known once it is full, so they are collected in memory that grows.
 */
export class ExamplesTable implements EntriesSink {
  readonly #batches: BatchPair;
  /** Entries of the last example that are still to come. */
  #expected = 0;

  constructor(
    private readonly job: EntriesJob,
    write: (batch: EntriesBatch) => Promise<void>,
  ) {
    this.#batches = new BatchPair(job.columns, write);
  }

  finish(): Promise<void> {
    return this.#batches.finish();
  }

  settled(): Promise<void> {
    return this.#batches.settled();
  }

  async append(slot: FilledSlot): Promise<void> {
    const { plan, onBadRow, slot: places } = this.job;
    const { part, task, badRows, buffer, base } = slot;
    const counts = new Float64Array(buffer, base + places.entries.counts);
    const bad = new Set(badRows);
    // what has not been taken over yet: rows from `row`, entries from `entry`; the next row's entries start at `end`
    let [row, entry] = [part.from, 0];
    let end = Math.min(this.#expected, part.entries);
    let expected = this.#expected - end;
    const flush = (to: number) => {
      this.#batches.filling.addEntries(slot, entry, end);
      this.#batches.filling.addRows(slot, places.rowNumbers, row, to);
      [row, entry] = [to, end];
    };
    for (let r = part.from; r < part.to; r++) {
      const count = counts[r] as number;
      const isBad = bad.has(task.rowStart + r);
      if (isBad && onBadRow === "skip") {
        flush(r);
        this.#batches.filling.skip(task.rowStart + r);
        row = r + 1;
        continue;
      }
      const rows = this.#batches.filling.rows + r - row;
      const entries = this.#batches.filling.entries + end - entry;
      const full =
        rows === plan.batchExamples || entries + count > plan.batchEntries;
      if (full && rows > 0) {
        flush(r);
        await this.#batches.close();
      }
      this.#batches.filling.addExample(task.rowStart + r, count, isBad);
      expected = count - Math.min(count, part.entries - end);
      end += count - expected;
    }
    flush(part.to);
    this.#expected = expected;
  }
}

/** Collects the table of layout coo for outputs that are written in order (others: ../counted): batches of equal length. */
export class CoordinatesTable implements EntriesSink {
  readonly #batches: BatchPair;

  constructor(
    private readonly job: EntriesJob,
    write: (batch: EntriesBatch) => Promise<void>,
  ) {
    this.#batches = new BatchPair(job.columns, write);
  }

  async append(slot: FilledSlot): Promise<void> {
    const { batchEntries } = this.job.plan;
    const { entries } = slot.part;
    for (let from = 0; from < entries; ) {
      const { filling } = this.#batches;
      const to = Math.min(from + batchEntries - filling.rows, entries);
      filling.addRows(slot, this.job.slot.entries.rows, from, to);
      from = to;
      if (filling.rows === batchEntries) await this.#batches.close();
    }
  }

  finish(): Promise<void> {
    return this.#batches.finish();
  }

  settled(): Promise<void> {
    return this.#batches.settled();
  }
}

/** Two record batches: one fills while the other is written. */
class BatchPair {
  #filling: EntriesBatchBuilder;
  #other: EntriesBatchBuilder;
  #writing: Promise<void> = Promise.resolve();

  /** @param write resolves when the memory of the batch may be changed */
  constructor(
    columns: readonly PlacedColumn[],
    private readonly write: (batch: EntriesBatch) => Promise<void>,
  ) {
    this.#filling = new EntriesBatchBuilder(columns);
    this.#other = new EntriesBatchBuilder(columns);
  }

  /** Returns the batch that is being filled. */
  get filling(): EntriesBatchBuilder {
    return this.#filling;
  }

  /** Starts to write the batch; the other one is filled next. */
  async close(): Promise<void> {
    await this.#writing;
    const full = this.#filling;
    [this.#filling, this.#other] = [this.#other, full];
    this.#filling.clear();
    this.#writing = this.write(full.batch());
    // The next call reports the error.
    this.#writing.catch(() => {});
  }

  /** Writes the rest, and waits until it is written. */
  async finish(): Promise<void> {
    if (this.#filling.rows > 0) await this.close();
    await this.#writing;
  }

  /** Waits until nothing is being written; errors are ignored. */
  async settled(): Promise<void> {
    await this.#writing.catch(() => {});
  }
}
