import type { EntriesLayout } from "../results/catalogue.js";

/** What the arithmetic of a run over single entries depends on. */
export interface EntriesPlanInput {
  /** The first row; 0 unless the run is over a part of its input. */
  rowStart?: number;
  rows: number;
  classes: number;
  layout: EntriesLayout;
  /** Bytes per row that are read: the logits and the other inputs. */
  sourceBytes: number;
  /** Bytes that an example takes beside its entries: results and copied columns. */
  exampleBytes: number;
  /** Bytes that an entry takes in the output. */
  entryBytes: number;
  topK: number | undefined;
  threads: number;
  chunkRows?: number | undefined;
}

/** How many entries there are is known only after the kernel ran: what can be known before. */
export interface EntriesPlan {
  rowStart: number;
  rows: number;
  classes: number;
  /** The most examples (csr) and entries (coo: exactly so many, but for the last) of a record batch. */
  batchExamples: number;
  batchEntries: number;
  /** The most rows of a task; tasks have fewer where rows have many entries. */
  chunkRows: number;
  /** Entries that a slot holds; at least the classes, so that every row of a block fits. */
  slotEntries: number;
  /** Entries that an example has at most. */
  maxEntries: number;
  /** The most that the output can have: every entry kept. */
  maxBytes: number;
  threads: number;
  slots: number;
}

const MiB = 1 << 20;
/** Record batch bodies, the results of examples and their entries together. */
const BATCH_BYTES = 24 * MiB;
/** Entries of a slot: what a worker makes before the main thread takes it over, and what stays in cache between. */
const SLOT_BYTES = 8 * MiB;
/** Logits, inputs and results of a task's rows. */
const CHUNK_BYTES = MiB;
/** A task's rows where they are very short. */
const MAX_CHUNK_ROWS = 8192;
/** Under this a pool costs more than it gives. */
const INLINE_BYTES = 4 * MiB;

/** The run as data. Pure. Record batches depend on the entries alone, not on threads or tasks. */
export function planEntries(input: EntriesPlanInput): EntriesPlan {
  const {
    rowStart = 0,
    rows,
    classes,
    layout,
    exampleBytes,
    entryBytes,
  } = input;
  const block = classes * classes;
  const maxEntries = Math.min(block, input.topK ?? block);
  const batchExamples = Math.max(1, Math.floor(BATCH_BYTES / exampleBytes));
  const batchEntries = wholeWords(BATCH_BYTES / entryBytes);
  const chunkRows = Math.max(
    1,
    Math.min(
      input.chunkRows ??
        Math.floor(CHUNK_BYTES / (input.sourceBytes + exampleBytes)),
      MAX_CHUNK_ROWS,
      rows,
    ),
  );
  const slotEntries = Math.max(
    classes,
    Math.min(
      Math.floor(SLOT_BYTES / entryBytes),
      chunkRows * Math.min(maxEntries, Number.MAX_SAFE_INTEGER / chunkRows),
    ),
  );
  const maxBytes = rows * (exampleBytes + maxEntries * entryBytes);
  const task = { chunkRows, slotEntries, maxEntries };
  const firstRows = rowsOfNextTask(task, 0, 0);
  const threads =
    maxBytes + rows * input.sourceBytes <= INLINE_BYTES
      ? 0
      : Math.min(input.threads, Math.ceil(rows / firstRows));
  return {
    rowStart,
    rows,
    classes,
    batchExamples: layout === "csr" ? batchExamples : batchEntries,
    batchEntries,
    chunkRows,
    slotEntries,
    maxEntries,
    maxBytes,
    threads,
    slots: threads === 0 ? 1 : 2 * threads + 1,
  };
}

/** Whole rows, in multiples of 64: bitmaps and buffers of batches then end on whole words. */
function wholeWords(rows: number): number {
  return Math.max(64, Math.floor(rows / 64) * 64);
}

/**
 * Rows of the next task: as many as fill two thirds of a slot, going by what the rows so far had. Of their number depends
 * how well threads share the work, and nothing else.
 */
export function rowsOfNextTask(
  {
    chunkRows,
    slotEntries,
    maxEntries,
  }: Pick<EntriesPlan, "chunkRows" | "slotEntries" | "maxEntries">,
  rowsDone: number,
  entriesDone: number,
): number {
  const perRow = rowsDone > 0 ? entriesDone / rowsDone : maxEntries;
  const rows = Math.floor((2 * slotEntries) / (3 * Math.max(perRow, 1e-3)));
  return Math.max(1, Math.min(rows, chunkRows));
}
