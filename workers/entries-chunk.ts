import { rowCountAt } from "../src/kernels/portable/sparse-space.js";
import type { EntriesSetup } from "../src/tasks/run-tasks.js";
import type { RowsContext, SlotRows } from "./slot-rows.js";

/** Computes the results of a slot's rows, and their entries into the slot's columns until these are full. */
export class EntriesChunk<Context extends RowsContext> {
  /** Number of entries in the columns. */
  used = 0;
  /** Number of entries of each row. */
  readonly counts: Float64Array;
  /** Largest dropped |entry| of each row, and the sum of all. */
  readonly droppedMax: Float64Array;
  readonly droppedSum: Float64Array;
  // Views are created once: creating a view takes as long as the entries of a short row.
  readonly #dropped: Float64Array;
  readonly #rowCounts: Int32Array;
  /** Address of the kernel's space for the entries of a row. */
  readonly #space: number;

  constructor(
    private readonly slotRows: SlotRows<Context>,
    private readonly entries: EntriesSetup,
    rows: number,
  ) {
    const doubles = (offset: number, length: number) =>
      new Float64Array(slotRows.context.buffer, slotRows.base + offset, length);
    this.counts = doubles(entries.counts, rows);
    this.droppedMax = doubles(entries.droppedMax, rows);
    this.droppedSum = doubles(entries.droppedSum, rows);
    this.#dropped = doubles(entries.dropped, 2);
    const { buffer, classes } = slotRows.context;
    this.#space = slotRows.base + entries.space;
    const counts = rowCountAt(this.#space, classes, 0);
    this.#rowCounts = new Int32Array(buffer, counts, classes);
  }

  /** Computes the results of a row and counts its entries. Returns the count; null for a bad row, whose results are zeros. */
  begin(row: number): number | null {
    const { slotRows, entries } = this;
    const { kernel, context, base, work } = slotRows;
    let good = slotRows.load(row);
    context.results.forEach((_, n) => {
      good = good && slotRows.storeResult(n, row, this.#resultAddress(n, row));
    });
    if (!good) this.#clearResults(row);
    const count = good
      ? kernel.countEntries(
          entries.code,
          work,
          context.classes,
          this.#space,
          entries.threshold,
          entries.topK,
          entries.float32,
          base + entries.dropped,
        )
      : 0;
    this.counts[row] = count;
    this.droppedMax[row] = good ? (this.#dropped[0] as number) : 0;
    this.droppedSum[row] = good ? (this.#dropped[1] as number) : 0;
    return good ? count : null;
  }

  get isFull(): boolean {
    return this.used === this.entries.capacity;
  }

  /** Stores the entries of a row from row i of its block on. Returns the block's row at which the slot is full, or `classes`. */
  storeFrom(row: number, i: number): number {
    const { slotRows, entries, used } = this;
    const { kernel, base, work, context } = slotRows;
    const { classes, slot } = context;
    if (this.counts[row] === 0) return classes;
    const end = this.#endOfTile(i, entries.capacity - used);
    if (end === i) return i;
    const count = kernel.storeEntries(
      work,
      classes,
      this.#space,
      i,
      end,
      base + entries.indices + 4 * used,
      entries.pairs ? base + entries.columns + 4 * used : 0,
      base + entries.values + (entries.float32 ? 4 : 8) * used,
      entries.float32,
    );
    // In layout coo, row number and values of the example are repeated for each entry.
    const repeat = (column: number, offset: number, width: number) =>
      kernel.repeat(
        base + column + width * used,
        base + offset + width * row,
        width,
        count,
      );
    if (entries.pairs) repeat(entries.rows, slot.rowNumbers, 8);
    entries.examples.forEach(({ offset, width }, n) => {
      repeat(entries.repeated[n] as number, offset, width);
    });
    this.used += count;
    return end;
  }

  /** Returns the end of the longest run of block rows from row i on whose entries fit into `capacity`. */
  #endOfTile(i: number, capacity: number): number {
    let end = i;
    for (let left = capacity; end < this.#rowCounts.length; end++) {
      left -= this.#rowCounts[end] as number;
      if (left < 0) break;
    }
    return end;
  }

  #resultAddress(n: number, row: number): number {
    const { base, context } = this.slotRows;
    const { values = 0, width = 0 } = context.results[n] ?? {};
    return base + (context.slot.results[n] as number) + row * values * width;
  }

  #clearResults(row: number): void {
    const { buffer, results } = this.slotRows.context;
    results.forEach(({ values, width }, n) => {
      const address = this.#resultAddress(n, row);
      new Uint8Array(buffer, address, values * width).fill(0);
    });
  }
}
