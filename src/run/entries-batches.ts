import type { ResultShape } from "../output/jacobian-batch.js";
import type { RowRange } from "../results/row-axes.js";
import type { EntriesPart } from "../tasks/run-tasks.js";
import type { EntriesJob } from "./entries-job.js";

/** A column, and its place in a slot. */
interface Column {
  width: number;
  list: boolean;
  /** Values of a table row; null: those of an example's entries. */
  listSize: number | null;
  place: number;
}

/** Memory of a slot. */
interface SlotMemory {
  buffer: ArrayBufferLike;
  /** Address of the slot. */
  base: number;
}

/** A slot that a task has filled. */
export interface FilledSlot extends SlotMemory {
  task: RowRange;
  part: EntriesPart;
  badRows: number[];
}

/** One record batch, whose columns are collected from slots. */
export class EntriesBatch {
  rows = 0;
  /** Entries of the examples. */
  entries = 0;
  /** First row of the logits in the batch; -1: there is none yet. */
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

  /** Adds table rows [from, to) of the slot: their numbers, and all columns but lists of entries. */
  addRows(slot: SlotMemory, rowNumbers: number, from: number, to: number) {
    if (to === from) return;
    this.#row.addPart(slot, rowNumbers, 8, from, to);
    this.specs.forEach(({ listSize, width, place }, n) => {
      if (listSize !== null)
        this.#values[n]?.addPart(slot, place, listSize * width, from, to);
    });
    this.rows += to - from;
  }

  /** Adds entries [from, to) of the slot to the lists. */
  addEntries(slot: SlotMemory, from: number, to: number) {
    if (to === from) return;
    this.specs.forEach(({ listSize, width, place }, n) => {
      if (listSize === null)
        this.#values[n]?.addPart(slot, place, width, from, to);
    });
    this.entries += to - from;
  }

  /** Counts a row of the logits with so many entries as the next table row. */
  addExample(row: number, entries: number, isBad: boolean) {
    const examples = this.#offsets.length - 1;
    if (examples === 0) this.rowStart = row;
    if (isBad) this.badRows.push(examples);
    this.#offsets.push((this.#offsets[examples] as number) + entries);
    this.rowEnd = row + 1;
  }

  /** Omits a row of the logits. */
  skip(row: number) {
    this.#skipped.push(row);
  }

  /** Omitted rows of the logits; those before the first example or behind the last belong to no batch. */
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
 * Copies the contents of slots into record batches, in row order. A batch that a generator yields may be written while the
 * next one is filled; its memory is used again for the one after that.
 */
abstract class EntriesBatches {
  protected filling: EntriesBatch;
  #other: EntriesBatch;

  constructor(protected readonly job: EntriesJob) {
    this.filling = new EntriesBatch(job.columns);
    this.#other = new EntriesBatch(job.columns);
  }

  /** Adds the contents of a slot, which may be used again after that. Yields the batches that are full. */
  abstract append(slot: FilledSlot): Generator<EntriesBatch>;

  /** Yields the last batch, if there is one. */
  *rest(): Generator<EntriesBatch> {
    if (this.filling.rows > 0) yield this.filling;
  }

  /** Yields the batch, and continues with the other one. */
  protected *take(): Generator<EntriesBatch> {
    const full = this.filling;
    yield full;
    this.filling = this.#other;
    this.filling.clear();
    this.#other = full;
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
        yield* this.take();
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
      if (filling.rows === batchEntries) yield* this.take();
    }
  }
}

/** Address space that is reserved at first: memory is taken as it is needed. */
const RESERVED_BYTES = 64 << 20;
/** Memory is taken in multiples of it. */
const STEP_BYTES = 1 << 20;

/** Bytes that grow in place; their memory is used again after `clear`. */
export class GrowableBuffer {
  /** On resizable memory, whose length it follows. */
  #bytes: Uint8Array<ArrayBuffer>;
  used = 0;

  constructor(reservedBytes = RESERVED_BYTES) {
    this.#bytes = growable(0, reservedBytes);
  }

  /** The bytes that have been added, until more are. */
  get view(): Uint8Array {
    return this.#bytes.subarray(0, this.used);
  }

  add(source: Uint8Array): void {
    const end = this.used + source.byteLength;
    if (end > this.#bytes.byteLength) this.#grow(end);
    this.#bytes.set(source, this.used);
    this.used = end;
  }

  /** Adds elements [from, to), of `bytes` bytes each, of what is at `place` of a slot. */
  addPart(
    { buffer, base }: SlotMemory,
    place: number,
    bytes: number,
    from: number,
    to: number,
  ): void {
    const start = base + place + from * bytes;
    this.add(new Uint8Array(buffer, start, (to - from) * bytes));
  }

  clear(): void {
    this.used = 0;
  }

  #grow(needed: number): void {
    const { byteLength, buffer } = this.#bytes;
    if (needed > buffer.maxByteLength) {
      const larger = growable(this.used, 2 * needed);
      larger.set(this.view);
      this.#bytes = larger;
    }
    const steps = Math.ceil(Math.max(needed, byteLength * 1.1) / STEP_BYTES);
    const { buffer: own } = this.#bytes;
    own.resize(Math.min(steps * STEP_BYTES, own.maxByteLength));
  }
}

function growable(
  bytes: number,
  maxByteLength: number,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(bytes, { maxByteLength }));
}
