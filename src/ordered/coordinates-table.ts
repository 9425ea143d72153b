import type { EntriesBatch } from "../output/entries-batch.js";
import { BatchPair } from "./batch-pair.js";
import type { EntriesJob } from "./entries-job.js";
import type { EntriesSink, FilledSlot } from "./entries-sink.js";

/**
 * Layout coo, for outputs that take their bytes in order (others: ../counted): a record batch has so many entries,
 * whichever they are.
 */
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
