import {
  type EntriesBatch,
  EntriesBatchBuilder,
} from "../output/entries-batch.js";
import type { Copy } from "../pool/protocol.js";
import type { EntriesJob } from "./entries-job.js";
import type { EntriesSink, FilledSlot, Written } from "./entries-sink.js";

/**
 * Layout csr: a record batch has whole examples, as many as fit, which depends on the rows alone. Where its columns stand
 * is known only once it is full: they are collected in memory that grows.
 */
export class ExamplesTable implements EntriesSink {
  #batch: EntriesBatchBuilder;
  #spare: EntriesBatchBuilder;
  #writing: Promise<void> = Promise.resolve();
  /** Entries of the last example that are still to come. */
  #expected = 0;

  constructor(
    private readonly job: EntriesJob,
    private readonly write: (batch: EntriesBatch) => Promise<Written>,
  ) {
    this.#batch = new EntriesBatchBuilder(job.columns);
    this.#spare = new EntriesBatchBuilder(job.columns);
  }

  copied(): void {}

  async finish(): Promise<void> {
    if (this.#batch.rows > 0) await this.#close();
    await this.#writing;
  }

  async settled(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  async append(slot: FilledSlot): Promise<Copy[]> {
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
    return [];
  }

  async #close(): Promise<void> {
    await this.#writing;
    const full = this.#batch;
    [this.#batch, this.#spare] = [this.#spare, full];
    this.#batch.clear();
    this.#writing = this.write(full.batch()).then(({ released }) => released);
    this.#writing.catch(() => {});
  }
}
