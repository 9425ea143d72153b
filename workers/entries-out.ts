import type { Kernel } from "../src/numeric/kernel.js";
import type { EntriesSetup } from "../src/pool/protocol.js";

/** Columns of entries that fill: those of one slot. */
export class EntriesOut {
  used = 0;

  /** @param base where the slot starts */
  constructor(
    private readonly kernel: Kernel,
    private readonly entries: EntriesSetup,
    private readonly base: number,
  ) {}

  /** Entries that there is room for. */
  get room(): number {
    return this.entries.capacity - this.used;
  }

  /** Where the next entries go. */
  get next(): { indices: number; columns: number; values: number } {
    const { entries, base, used } = this;
    return {
      indices: base + entries.indices + 4 * used,
      columns: entries.pairs ? base + entries.columns + 4 * used : 0,
      values: base + entries.values + (entries.float32 ? 4 : 8) * used,
    };
  }

  /**
   * Says that `count` entries of an example stand there now. Beside pairs, its row's number and its own values are put:
   * they stand at these addresses.
   */
  stored(count: number, number: number, own: readonly number[]): void {
    const { kernel, entries, base, used } = this;
    if (entries.pairs) {
      kernel.repeat(base + entries.rows + 8 * used, number, 8, count);
      entries.examples.forEach(({ width }, n) => {
        const column = base + (entries.repeated[n] as number);
        kernel.repeat(column + width * used, own[n] as number, width, count);
      });
    }
    this.used += count;
  }
}
