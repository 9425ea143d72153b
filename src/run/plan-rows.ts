import type { RowRange } from "../results/row-axes.js";
import { type PlannedResult, planRowBlocks } from "../tasks/plan-row-blocks.js";
/** What the arithmetic of a run depends on. */
export interface PlanInput {
  /** The first row; 0 unless the run is over a part of its input. */
  rowStart?: number;
  rows: number;
  classes: number;
  /** Bytes per row that are read: the logits and the other inputs. */
  sourceBytes: number;
  results: PlannedResult[];
  /** Average bytes per row of the copied columns. */
  copiedBytesPerRow: number;
  threads: number;
  /** Threads run anyway, for other parts of a dataset or to compress, or were asked for. */
  threadsAtHand?: boolean;
  /** Rows per task; undefined: sized by the plan. Changes no byte of the output. */
  chunkRows?: number | undefined;
  /** The most rows that a record batch may have, where copied columns are long. */
  maxBatchRows?: number | undefined;
}

/** Returns the rows of a run: all rows of its input, or those of a shard. */
export function rowsOf(
  part: RowRange | null,
  { rows }: { rows: number },
): { rowStart: number; rows: number } {
  return part
    ? { rowStart: part.rowStart, rows: part.rowEnd - part.rowStart }
    : { rowStart: 0, rows };
}

/** Rows of one task, which are in one record batch. */
export interface ChunkPlan extends RowRange {
  batch: number;
}

/** A plan in numbers alone, whose size does not depend on that of the run. */
export interface PlanSizes {
  rows: number;
  classes: number;
  batchRows: number;
  /** Record batches: all of `batchRows` rows, but for the last. */
  batchCount: number;
  chunkRows: number;
  /** Rows of the tasks of the last record batches, from batch `firstLast` on. */
  lastChunkRows: number;
  firstLast: number;
  chunkCount: number;
  /** Rows of logits that a worker reads at once: one or more strides. */
  loadRows: number;
  /** Rows that a worker computes, and whose blocks it writes, at once. */
  rowBlockSize: number;
  /** Rows of a block that fit a slot at once: `classes`, or fewer when a block is written in tiles. */
  tileRows: number;
  /** Worker threads; 0: the run is small enough for the main thread. */
  threads: number;
  slots: number;
}

export interface Plan extends PlanSizes {
  batches: RowRange[];
  chunks: ChunkPlan[];
}

const MiB = 1 << 20;
/** Record batch bodies: within 16 to 64 MiB where a row allows it. */
const BATCH_BYTES = 32 * MiB;
/**
 * A task at most, read and written together: a record batch, unless much is read for little. Each costs some 0.5 ms beside
 * its work.
 */
const CHUNK_BYTES = 48 * MiB;
/** The same of the last record batches: short enough that threads end together. All tasks so small cost a seventh of a run. */
const LAST_CHUNK_BYTES = 8 * MiB;
/** How many batches those are, for each thread. */
const LAST_BATCHES = 2;
/** Logits read at once: one call for many strides where the classes are many. */
const LOAD_BYTES = MiB / 4;
/** Read and written together: under this the main thread is done before tasks are shared among threads. */
const INLINE_BYTES = 6 * MiB;
/**
 * The same before threads have started, which takes two of them 0.12 s: on two cores 100 MB are written sooner without,
 * 180 MB no later; more cores gain more by threads.
 */
const START_BYTES = 64 * MiB;
/**
 * The whole run as data: record batches, chunks, strides, slots. Pure; depends on nothing but its argument.
 * Record batches do not depend on threads or chunk size, and so neither do the output's bytes.
 */
export function planRun(input: PlanInput): Plan {
  const { rowStart = 0, rows } = input;
  const sizes = planSizes(input);
  const { batchRows, chunkRows, lastChunkRows, firstLast } = sizes;
  const batches = spans(rowStart, rowStart + rows, batchRows);
  const chunks = batches.flatMap(({ rowStart, rowEnd }, batch) =>
    spans(rowStart, rowEnd, batch < firstLast ? chunkRows : lastChunkRows).map(
      (span) => ({ ...span, batch }),
    ),
  );
  return { ...sizes, batches, chunks };
}

/** Returns the numbers of a plan, whose record batches and chunks are counted and not listed. */
export function planSizes(input: PlanInput): PlanSizes {
  const { rows, classes, copiedBytesPerRow } = input;
  const rowBytes = input.results.reduce(
    (total, { listSize, width }) => total + listSize * width,
    8 + copiedBytesPerRow,
  );

  const batchRows = Math.min(
    evenRows(BATCH_BYTES / rowBytes),
    input.maxBatchRows ?? Number.POSITIVE_INFINITY,
  );
  const batchCount = Math.ceil(rows / batchRows);
  const bytesOfRow = rowBytes + input.sourceBytes;
  const chunksOfBatch = Math.ceil((batchRows * bytesOfRow) / CHUNK_BYTES);
  const usualRows = Math.ceil(batchRows / chunksOfBatch / 64) * 64;
  const lastRows = evenRows(LAST_CHUNK_BYTES / bytesOfRow);
  const firstLast = batchCount - LAST_BATCHES * input.threads;
  const chunkRowsOf = (rows: number) =>
    Math.min(input.chunkRows ?? rows, batchRows);
  const chunkRows = chunkRowsOf(firstLast > 0 ? usualRows : lastRows);
  const lastChunkRows = chunkRowsOf(lastRows);
  // The last record batch is one of the last; only it may have fewer rows.
  const early = Math.max(0, firstLast);
  const later = batchCount - early;
  const rowsOfLast = rows - (batchCount - 1) * batchRows;
  const chunkCount =
    later === 0
      ? 0
      : early * Math.ceil(batchRows / chunkRows) +
        (later - 1) * Math.ceil(batchRows / lastChunkRows) +
        Math.ceil(rowsOfLast / lastChunkRows);

  const { rowBlockSize, tileRows } = planRowBlocks(
    classes,
    input.results,
    input.sourceBytes,
    chunkRows,
  );
  const loadRows = Math.min(
    Math.max(rowBlockSize, Math.floor(LOAD_BYTES / input.sourceBytes)),
    chunkRows,
  );
  const small =
    rows * bytesOfRow <= (input.threadsAtHand ? INLINE_BYTES : START_BYTES);
  const threads = small ? 0 : Math.min(input.threads, chunkCount);
  return {
    rows,
    classes,
    batchRows,
    batchCount,
    chunkRows,
    lastChunkRows,
    firstLast,
    chunkCount,
    loadRows,
    rowBlockSize,
    tileRows,
    threads,
    slots: threads === 0 ? 1 : threads + 1,
  };
}

/** Whole rows, in multiples of 64 where there are as many: bitmaps of batches then end on whole words. */
function evenRows(rows: number): number {
  const whole = Math.max(1, Math.floor(rows));
  return whole >= 64 ? whole - (whole % 64) : whole;
}

function spans(rowStart: number, rowEnd: number, length: number): RowRange[] {
  const out: RowRange[] = [];
  for (let start = rowStart; start < rowEnd; start += length)
    out.push({ rowStart: start, rowEnd: Math.min(start + length, rowEnd) });
  return out;
}
