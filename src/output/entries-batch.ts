import type { ResultShape } from "./jacobian-batch.js";

/** A column as it comes out of a slot. */
interface Column {
  width: number;
  list: boolean;
  /** Values of a table row; null: those of an example's entries. */
  listSize: number | null;
  /** Where it stands in a slot. */
  place: number;
}

/** Where rows come from. */
interface Source {
  buffer: ArrayBufferLike;
  base: number;
}

/** A record batch that only has to be placed and written. */
export interface EntriesBatch {
  rows: number;
  /** Rows of the logits that it spans, and those of them that were left out. */
  rowStart: number;
  rowEnd: number;
  skipped: number[];
  /** Table rows whose results are null. */
  badRows: number[];
  row: Uint8Array;
  /** int32 offsets of the lists of entries. */
  offsets: Uint8Array;
  columns: { shape: ResultShape; values: Uint8Array }[];
}

/** Collects the columns of one record batch from slots. */
export class EntriesBatchBuilder {
  rows = 0;
  /** Entries of the examples that were added. */
  entries = 0;
  #rowStart = -1;
  #rowEnd = 0;
  #listed = 0;
  #skipped: number[] = [];
  #badRows: number[] = [];
  /** Of the lists of entries. */
  #offsets: number[] = [];
  readonly #row = new GrowingBytes();
  readonly #values: GrowingBytes[];

  constructor(private readonly columns: readonly Column[]) {
    this.#values = columns.map(() => new GrowingBytes());
  }

  clear(): void {
    this.rows = this.entries = this.#listed = this.#rowEnd = 0;
    this.#rowStart = -1;
    this.#skipped = [];
    this.#badRows = [];
    this.#offsets = [];
    for (const bytes of [this.#row, ...this.#values]) bytes.clear();
  }

  /** Table rows [from, to) of the slot: their numbers, and all columns but lists of entries. */
  addRows(source: Source, rowNumbers: number, from: number, to: number): void {
    if (to === from) return;
    this.#row.add(bytesOf(source, rowNumbers, from, to, 8));
    this.columns.forEach(({ listSize, width, place }, n) => {
      if (listSize !== null)
        this.#values[n]?.add(
          bytesOf(source, place, from, to, listSize * width),
        );
    });
    this.rows += to - from;
  }

  /** Entries [from, to) of the slot, to the lists. */
  addEntries(source: Source, from: number, to: number): void {
    if (to === from) return;
    this.columns.forEach(({ listSize, width, place }, n) => {
      if (listSize === null)
        this.#values[n]?.add(bytesOf(source, place, from, to, width));
    });
    this.entries += to - from;
  }

  /** Says that the next table row is that of a row of the logits, with so many entries. */
  addExample(row: number, entries: number, isBad: boolean): void {
    if (this.#rowStart < 0) {
      this.#rowStart = row;
      this.#offsets.push(0);
    }
    if (isBad) this.#badRows.push(this.#offsets.length - 1);
    this.#listed += entries;
    this.#offsets.push(this.#listed);
    this.#rowEnd = row + 1;
  }

  /** Says that a row of the logits is left out. */
  skip(row: number): void {
    if (this.#rowStart >= 0) this.#skipped.push(row);
  }

  batch(): EntriesBatch {
    // rows that were left out behind the last example belong to no batch
    const skipped = this.#skipped.filter((row) => row < this.#rowEnd);
    return {
      rows: this.rows,
      rowStart: this.#rowStart,
      rowEnd: this.#rowEnd,
      skipped,
      badRows: this.#badRows,
      row: this.#row.view,
      offsets: new Uint8Array(Int32Array.from(this.#offsets).buffer),
      columns: this.columns.map(({ list, listSize, width }, n) => {
        const values = this.#values[n]?.view as Uint8Array;
        return {
          shape: {
            list,
            offsets: listSize === null,
            items: values.byteLength / width,
            width,
          },
          values,
        };
      }),
    };
  }
}

function bytesOf(
  { buffer, base }: Source,
  place: number,
  from: number,
  to: number,
  bytes: number,
): Uint8Array {
  return new Uint8Array(
    buffer,
    base + place + from * bytes,
    (to - from) * bytes,
  );
}

/** Address space that is reserved at first: memory is taken as it is needed. */
const RESERVED_BYTES = 64 << 20;
/** Memory is taken in multiples of it. */
const STEP_BYTES = 1 << 20;

/** Bytes that grow in place; their memory is used again after `clear`. */
export class GrowingBytes {
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
