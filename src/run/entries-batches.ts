import type { ResultShape } from "../output/jacobian-batch.js";
import type { RowRange } from "../results/row-axes.js";
import type { EntriesPart } from "../tasks/run-tasks.js";
import type { EntriesPlan } from "./entries-plan.js";

type Column = Pick<
  EntriesPlan["columns"][number],
  "width" | "list" | "listSize" | "offset"
>;

/** Memory of a slot. */
interface SlotMemory {
  buffer: ArrayBufferLike;
  /** Address of the slot. */
  base: number;
}

/** A slot that a task has filled. */
interface FilledSlot extends SlotMemory {
  task: RowRange;
  part: EntriesPart;
  badRows: number[];
}

/** One record batch, whose columns are collected from slots. */
export class EntriesBatch {
  rows = 0;
  entries = 0;
  /** First row of the input in the batch; -1 if the batch is empty. */
  rowStart = -1;
  rowEnd = 0;
  /** Table rows whose results are null. */
  badRows: number[] = [];
  #skipped: number[] = [];
  #offsets = [0];
  readonly #row = new GrowableBuffer();
  readonly #values: GrowableBuffer[];

  constructor(private readonly specs: readonly Column[]) {
    this.#values = specs.map(() => new GrowableBuffer());
  }

  clear(): void {
    this.rows = this.entries = this.rowEnd = 0;
    this.rowStart = -1;
    this.badRows = [];
    this.#skipped = [];
    this.#offsets = [0];
    for (const bytes of [this.#row, ...this.#values]) bytes.clear();
  }

  /** Adds table rows [from, to) of the slot: row numbers and all columns except lists of entries. */
  addRows(slot: SlotMemory, rowNumbers: number, from: number, to: number) {
    if (to === from) return;
    this.#row.addElements(slot, rowNumbers, 8, from, to);
    this.specs.forEach(({ listSize, width, offset }, n) => {
      if (listSize !== null)
        this.#values[n]?.addElements(slot, offset, listSize * width, from, to);
    });
    this.rows += to - from;
  }

  /** Adds entries [from, to) of the slot to the lists. */
  addEntries(slot: SlotMemory, from: number, to: number) {
    if (to === from) return;
    this.specs.forEach(({ listSize, width, offset }, n) => {
      if (listSize === null)
        this.#values[n]?.addElements(slot, offset, width, from, to);
    });
    this.entries += to - from;
  }

  /** Adds a row of the input with `entries` entries as the next table row. */
  addExample(row: number, entries: number, isBad: boolean) {
    const examples = this.#offsets.length - 1;
    if (examples === 0) this.rowStart = row;
    if (isBad) this.badRows.push(examples);
    this.#offsets.push((this.#offsets[examples] as number) + entries);
    this.rowEnd = row + 1;
  }

  skip(row: number) {
    this.#skipped.push(row);
  }

  /** Omitted rows between the first and the last example; others belong to no batch. */
  get skipped(): number[] {
    return this.#skipped.filter(
      (row) => row >= this.rowStart && row < this.rowEnd,
    );
  }

  get row(): Uint8Array {
    return this.#row.view;
  }

  /** int32 offsets of the lists of entries. */
  get offsets(): Uint8Array {
    return new Uint8Array(Int32Array.from(this.#offsets).buffer);
  }

  get columns(): { shape: ResultShape; values: Uint8Array }[] {
    return this.specs.map(({ list, listSize, width }, n) => {
      const values = this.#values[n]?.view as Uint8Array;
      const items = values.byteLength / width;
      const shape = { list, offsets: listSize === null, items, width };
      return { shape, values };
    });
  }
}

/**
 * Copies slots into record batches, in row order. A yielded batch may be written while the next one is filled; the one after
 * that reuses its memory.
 */
export class EntriesBatches {
  #filling: EntriesBatch;
  #spare: EntriesBatch;
  /** Layout csr: entries of the last example that are still to come. */
  #expected = 0;

  constructor(private readonly plan: EntriesPlan) {
    this.#filling = new EntriesBatch(plan.columns);
    this.#spare = new EntriesBatch(plan.columns);
  }

  /** Copies a slot, which may be reused after that. Yields full batches. */
  append(slot: FilledSlot): Generator<EntriesBatch> {
    return this.plan.layout === "coo"
      ? this.#appendCoo(slot)
      : this.#appendCsr(slot);
  }

  /** Yields the last batch unless it is empty. */
  *rest(): Generator<EntriesBatch> {
    if (this.#filling.rows > 0) yield this.#filling;
  }

  /** Yields the batch, and continues with the spare one. */
  *#flush(): Generator<EntriesBatch> {
    const full = this.#filling;
    yield full;
    this.#filling = this.#spare;
    this.#filling.clear();
    this.#spare = full;
  }

  /** Each batch has as many whole examples as fit, which depends only on the rows. Its size is known only when it is full. */
  *#appendCsr(slot: FilledSlot): Generator<EntriesBatch> {
    const { plan } = this;
    const { onBadRow, slot: offsets } = plan;
    const { part, task, badRows, buffer, base } = slot;
    const counts = new Float64Array(buffer, base + offsets.entries.counts);
    const bad = new Set(badRows);
    // Rows from `row` and entries from `entry` are not copied yet. The entries of the next row start at `end`.
    let [row, entry] = [part.from, 0];
    let end = Math.min(this.#expected, part.entries);
    let expected = this.#expected - end;
    const copyTo = (to: number) => {
      this.#filling.addEntries(slot, entry, end);
      this.#filling.addRows(slot, offsets.rowNumbers, row, to);
      [row, entry] = [to, end];
    };
    for (let r = part.from; r < part.to; r++) {
      const count = counts[r] as number;
      const isBad = bad.has(task.rowStart + r);
      if (isBad && onBadRow === "skip") {
        copyTo(r);
        this.#filling.skip(task.rowStart + r);
        row = r + 1;
        continue;
      }
      const rows = this.#filling.rows + r - row;
      const entries = this.#filling.entries + end - entry;
      const full =
        rows === plan.batchExamples || entries + count > plan.batchEntries;
      if (full && rows > 0) {
        copyTo(r);
        yield* this.#flush();
      }
      this.#filling.addExample(task.rowStart + r, count, isBad);
      expected = count - Math.min(count, part.entries - end);
      end += count - expected;
    }
    copyTo(part.to);
    this.#expected = expected;
  }

  /** All batches except the last have the same number of entries. */
  *#appendCoo(slot: FilledSlot): Generator<EntriesBatch> {
    const { batchEntries, slot: offsets } = this.plan;
    const { entries } = slot.part;
    for (let from = 0; from < entries; ) {
      const room = batchEntries - this.#filling.rows;
      const to = Math.min(from + room, entries);
      this.#filling.addRows(slot, offsets.entries.rows, from, to);
      from = to;
      if (this.#filling.rows === batchEntries) yield* this.#flush();
    }
  }
}

/** Size of an empty buffer. */
const FIRST_BYTES = 1 << 16;
/** Size of a buffer that has grown: columns of most record batches fit, so that they are copied only while they are small. */
const GROWN_BYTES = 64 << 20;

/** A buffer that grows, and reuses its memory after `clear`. */
export class GrowableBuffer {
  #bytes = new Uint8Array(FIRST_BYTES);
  used = 0;

  /** Bytes added so far; invalid after the next `add`. */
  get view(): Uint8Array {
    return this.#bytes.subarray(0, this.used);
  }

  add(source: Uint8Array): void {
    const end = this.used + source.byteLength;
    if (end > this.#bytes.byteLength) {
      // The system commits memory of this size as it is written, so that the unused part takes none.
      const larger = new Uint8Array(Math.max(GROWN_BYTES, 2 * end));
      larger.set(this.view);
      this.#bytes = larger;
    }
    this.#bytes.set(source, this.used);
    this.used = end;
  }

  /** Adds elements [from, to), of `bytes` bytes each, of the array at `offset` of a slot. */
  addElements(
    { buffer, base }: SlotMemory,
    offset: number,
    bytes: number,
    from: number,
    to: number,
  ): void {
    const start = base + offset + from * bytes;
    this.add(new Uint8Array(buffer, start, (to - from) * bytes));
  }

  clear(): void {
    this.used = 0;
  }
}
