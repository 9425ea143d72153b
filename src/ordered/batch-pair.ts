import {
  type EntriesBatch,
  EntriesBatchBuilder,
} from "../output/entries-batch.js";
import type { PlacedColumn } from "./entries-job.js";

/** Two record batches: one fills while the other is written. */
export class BatchPair {
  #filling: EntriesBatchBuilder;
  #other: EntriesBatchBuilder;
  #writing: Promise<void> = Promise.resolve();

  /** `write` is fulfilled when a batch's memory may be changed. */
  constructor(
    columns: readonly PlacedColumn[],
    private readonly write: (batch: EntriesBatch) => Promise<void>,
  ) {
    this.#filling = new EntriesBatchBuilder(columns);
    this.#other = new EntriesBatchBuilder(columns);
  }

  /** The one that fills. */
  get filling(): EntriesBatchBuilder {
    return this.#filling;
  }

  /** Has it written, and the other one filled next. */
  async close(): Promise<void> {
    await this.#writing;
    const full = this.#filling;
    [this.#filling, this.#other] = [this.#other, full];
    this.#filling.clear();
    this.#writing = this.write(full.batch());
    // told where the next one is to be written
    this.#writing.catch(() => {});
  }

  /** Writes what there is, and waits for it. */
  async finish(): Promise<void> {
    if (this.#filling.rows > 0) await this.close();
    await this.#writing;
  }

  /** Waits for what is being written, whatever becomes of it. */
  async settled(): Promise<void> {
    await this.#writing.catch(() => {});
  }
}
