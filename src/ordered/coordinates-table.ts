import { DIRECT_BYTES, padBefore } from "../io/direct.js";
import type { EntriesBatch } from "../output/entries-batch.js";
import { type PlacedBatch, placeBatch } from "../output/jacobian-file.js";
import type { Copy } from "../pool/protocol.js";
import type { EntriesJob } from "./entries-job.js";
import type { EntriesSink, FilledSlot, Written } from "./entries-sink.js";

/** One fills, one is written, and of one the last copies are still under way. */
export const BATCH_REGIONS = 3;

/** A record batch that is being filled, in its region of the slots' memory. */
interface OpenBatch {
  rows: number;
  /** Where its columns start: row numbers, then the others. */
  addresses: number[];
  /** Copies that are still to be made. */
  pending: number;
  full: boolean;
  whole: Promise<void>;
  setWhole: () => void;
}

/**
 * Layout coo: a record batch has so many entries, whichever they are, so that every column of a full one has its place in
 * the file, and a place in memory that lies in its page as that does: from there it is written without another copy.
 * Into these places the workers copy, each before its next task in a slot.
 */
export class CoordinatesTable implements EntriesSink {
  readonly #widths: number[];
  /** Where the columns stand in a slot. */
  readonly #sources: number[];
  /** When each region may be changed. */
  readonly #released: Promise<void>[] = [];
  /** The batches whose copies are under way, by their copies. */
  readonly #batchOf = new Map<Copy, OpenBatch>();
  #batches = 0;
  #batch: OpenBatch | null = null;
  #offset: number;
  /** The last batch that is or will be written: the next one's turn comes then. */
  #last: Promise<unknown> = Promise.resolve();
  /** Batches that wait for entries or copies. */
  readonly #incomplete = new Set<OpenBatch>();
  #stopped = false;

  /** `offset`: where the first batch goes in the file. */
  constructor(
    private readonly job: EntriesJob,
    private readonly buffer: ArrayBufferLike,
    offset: number,
    private readonly write: (batch: EntriesBatch) => Promise<Written>,
  ) {
    this.#offset = offset;
    this.#widths = [8, ...job.columns.map(({ width }) => width)];
    this.#sources = [
      job.slot.entries.rows,
      ...job.columns.map(({ place }) => place),
    ];
  }

  async append({ base, part }: FilledSlot): Promise<Copy[]> {
    const { batchEntries } = this.job.plan;
    let copies: Copy[] = [];
    for (let from = 0; from < part.entries; ) {
      if (!this.#batch) {
        // Where a slot fills batch after batch, nobody else would make the copies that these wait for.
        if (copies.length > 0 && this.#batches >= BATCH_REGIONS) {
          this.#copyNow(copies);
          copies = [];
        }
        this.#batch = await this.#open();
      }
      const batch = this.#batch;
      const to = Math.min(from + batchEntries - batch.rows, part.entries);
      this.#widths.forEach((width, n) => {
        const copy = {
          from: base + (this.#sources[n] as number) + from * width,
          to: (batch.addresses[n] as number) + batch.rows * width,
          bytes: (to - from) * width,
        };
        copies.push(copy);
        this.#batchOf.set(copy, batch);
        batch.pending++;
      });
      batch.rows += to - from;
      from = to;
      if (batch.rows === batchEntries) this.#close(batch);
    }
    return copies;
  }

  copied(copies: readonly Copy[]): void {
    for (const copy of copies) {
      const batch = this.#batchOf.get(copy) as OpenBatch;
      this.#batchOf.delete(copy);
      batch.pending--;
      if (batch.full && batch.pending === 0) batch.setWhole();
    }
  }

  async finish(): Promise<void> {
    if (this.#batch) this.#close(this.#batch);
    await this.#last;
    await Promise.all(this.#released);
  }

  async settled(): Promise<void> {
    this.#stopped = true;
    for (const batch of this.#incomplete) batch.setWhole();
    await Promise.allSettled(this.#released);
  }

  #copyNow(copies: readonly Copy[]): void {
    const all = new Uint8Array(this.buffer);
    for (const { from, to, bytes } of copies)
      all.copyWithin(to, from, from + bytes);
    this.copied(copies);
  }

  /** The next batch, in the region of the one that was there before, once that is written. */
  async #open(): Promise<OpenBatch> {
    const region = this.#batches++ % BATCH_REGIONS;
    await this.#released[region];
    const { batchEntries, slots } = this.job.plan;
    const placed = this.#place(batchEntries);
    this.#offset = placed.bodyStart + placed.bodyBytes;
    const { layout, bodyStart } = placed;
    const places = [layout.row, ...layout.results.map(({ values }) => values)];
    let end =
      pageAfter(slots * this.job.slot.bytes) + region * batchBytes(this.job);
    const addresses = this.#widths.map((width, n) => {
      const start = end;
      end += columnBytes(batchEntries, width);
      return start + padBefore(start, bodyStart + (places[n] as number));
    });
    const batch: OpenBatch = {
      rows: 0,
      addresses,
      pending: 0,
      full: false,
      whole: Promise.resolve(),
      setWhole: () => {},
    };
    batch.whole = new Promise((resolve) => {
      batch.setWhole = () => {
        this.#incomplete.delete(batch);
        resolve();
      };
    });
    this.#incomplete.add(batch);
    return batch;
  }

  #place(rows: number): PlacedBatch {
    return placeBatch(
      {
        rows,
        results: this.job.columns.map(({ list, width }) => ({
          list,
          offsets: false,
          items: rows,
          width,
        })),
        nullableResults: false,
        kept: [],
      },
      this.#offset,
    );
  }

  /** Nothing more comes into the batch: it is written once all is there, and those before it are written. */
  #close(batch: OpenBatch): void {
    this.#batch = null;
    batch.full = true;
    if (batch.pending === 0) batch.setWhole();
    const before = this.#last;
    const written = (async () => {
      await before;
      await batch.whole;
      if (this.#stopped) throw new Error("stopped");
      return await this.write(this.#entriesOf(batch));
    })();
    written.catch(() => {});
    this.#last = written;
    const released = written.then((batch) => batch.released);
    released.catch(() => {});
    this.#released[(this.#batches - 1) % BATCH_REGIONS] = released;
  }

  #entriesOf({ rows, addresses }: OpenBatch): EntriesBatch {
    const column = (n: number) =>
      new Uint8Array(
        this.buffer,
        addresses[n],
        rows * (this.#widths[n] as number),
      );
    return {
      rows,
      rowStart: 0,
      rowEnd: 0,
      skipped: [],
      badRows: [],
      row: column(0),
      offsets: new Uint8Array(0),
      columns: this.job.columns.map(({ list, width }, n) => ({
        shape: { list, offsets: false, items: rows, width },
        values: column(n + 1),
      })),
    };
  }
}

/** Memory for the batches of a job, behind its slots, in bytes from the start of all. */
export function memoryBytes(job: EntriesJob): number {
  const slots = job.plan.slots * job.slot.bytes;
  return job.layout === "coo"
    ? pageAfter(slots) + BATCH_REGIONS * batchBytes(job)
    : slots;
}

function batchBytes({ plan, columns }: EntriesJob): number {
  return [8, ...columns.map(({ width }) => width)].reduce(
    (sum, width) => sum + columnBytes(plan.batchEntries, width),
    0,
  );
}

/** With room to stand anywhere in a page. */
function columnBytes(rows: number, width: number): number {
  return pageAfter(rows * width) + DIRECT_BYTES;
}

function pageAfter(bytes: number): number {
  return Math.ceil(bytes / DIRECT_BYTES) * DIRECT_BYTES;
}
