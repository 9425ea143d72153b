import {
  type EntriesBatch,
  EntriesBatchBuilder,
} from "../output/entries-batch.js";
import type { RowRange } from "../plan.js";
import type { EntriesPart } from "../pool/protocol.js";
import type { EntriesJob } from "./entries-job.js";

/** A slot that a task has filled. */
export interface FilledSlot {
  buffer: ArrayBufferLike;
  /** Address of the slot. */
  base: number;
  task: RowRange;
  part: EntriesPart;
  badRows: number[];
}

/**
 * Copies the contents of slots into record batches, in row order. A batch that a generator yields may be written while the
 * next one is filled; its memory is used again for the one after that.
 */
abstract class EntriesBatches {
  #other: EntriesBatchBuilder;
  protected filling: EntriesBatchBuilder;

  constructor(protected readonly job: EntriesJob) {
    this.filling = new EntriesBatchBuilder(job.columns);
    this.#other = new EntriesBatchBuilder(job.columns);
  }

  /** Adds the contents of a slot, which may be used again after that. Yields the batches that are full. */
  abstract append(slot: FilledSlot): Generator<EntriesBatch>;

  /** Yields the last batch, if there is one. */
  *rest(): Generator<EntriesBatch> {
    if (this.filling.rows > 0) yield this.take();
  }

  protected take(): EntriesBatch {
    const full = this.filling;
    this.filling = this.#other;
    this.#other = full;
    this.filling.clear();
    return full.batch();
  }
}

/**
 * Batches of layout csr: as many whole examples as fit, which depends on the rows alone. The offsets of the columns are
 * known when a batch is full, so they are collected in memory that grows.
 */
export class CsrBatches extends EntriesBatches {
  /** Entries of the last example that are still to come. */
  #expected = 0;

  *append(slot: FilledSlot): Generator<EntriesBatch> {
    const { plan, onBadRow, slot: places } = this.job;
    const { part, task, badRows, buffer, base } = slot;
    const counts = new Float64Array(buffer, base + places.entries.counts);
    const bad = new Set(badRows);
    // Not copied yet: rows from `row`, entries from `entry`. The next row's entries start at `end`.
    let [row, entry] = [part.from, 0];
    let end = Math.min(this.#expected, part.entries);
    let expected = this.#expected - end;
    const flush = (to: number) => {
      this.filling.addEntries(slot, entry, end);
      this.filling.addRows(slot, places.rowNumbers, row, to);
      [row, entry] = [to, end];
    };
    for (let r = part.from; r < part.to; r++) {
      const count = counts[r] as number;
      const isBad = bad.has(task.rowStart + r);
      if (isBad && onBadRow === "skip") {
        flush(r);
        this.filling.skip(task.rowStart + r);
        row = r + 1;
        continue;
      }
      const rows = this.filling.rows + r - row;
      const entries = this.filling.entries + end - entry;
      const full =
        rows === plan.batchExamples || entries + count > plan.batchEntries;
      if (full && rows > 0) {
        flush(r);
        yield this.take();
      }
      this.filling.addExample(task.rowStart + r, count, isBad);
      expected = count - Math.min(count, part.entries - end);
      end += count - expected;
    }
    flush(part.to);
    this.#expected = expected;
  }
}

/** Batches of layout coo, of equal length. */
export class CooBatches extends EntriesBatches {
  *append(slot: FilledSlot): Generator<EntriesBatch> {
    const { batchEntries } = this.job.plan;
    const { entries } = slot.part;
    for (let from = 0; from < entries; ) {
      const { filling } = this;
      const to = Math.min(from + batchEntries - filling.rows, entries);
      filling.addRows(slot, this.job.slot.entries.rows, from, to);
      from = to;
      if (filling.rows === batchEntries) yield this.take();
    }
  }
}
