import type { RowRange } from "../results/row-axes.js";
import { type PlannedResult, planRowBlocks } from "../tasks/slot-layout.js";

/** Input of the planning arithmetic for results of known size. */
export interface FixedRowsInput {
  /** First row of the run in its input. */
  rowStart: number;
  rows: number;
  classes: number;
  /** Bytes read per row: the logits and the other inputs. */
  sourceBytes: number;
  results: PlannedResult[];
  /** Average bytes per row of the copied columns. */
  copiedBytesPerRow: number;
  threads: number;
  /** Whether threads cost no start-up: they run anyway (shards, compression) or the user asked for them. */
  threadsAvailable?: boolean;
  /** Rows per task; default: chosen by the plan. Does not affect the output bytes. */
  chunkRows?: number | undefined;
  /** Row limit of record batches, for long copied columns. */
  maxBatchRows?: number | undefined;
}

const MiB = 1 << 20;
/** Size of a record batch body. */
const BATCH_BYTES = 32 * MiB;
/** Limit on the bytes that a task reads and writes. Each task costs about 0.5 ms beside its work. */
const CHUNK_BYTES = 48 * MiB;
/** Limit for tasks of the last record batches, so that threads end together. As the limit of all tasks it takes a seventh longer. */
const LAST_CHUNK_BYTES = 8 * MiB;
/** Number of these last batches per thread. */
const LAST_BATCHES = 2;
/** Input bytes read in one call. */
const LOAD_BYTES = MiB / 4;
/** Up to this size (bytes read and written) the main thread is faster than running threads. */
const INLINE_BYTES = 6 * MiB;
/** Like INLINE_BYTES if threads must be started (0.12 s for two). On two cores the break-even is at 100 to 180 MB. */
const START_BYTES = 64 * MiB;

/** Record batches and tasks of a run. They are counted, not listed, so that the size of a plan is constant. */
type FixedRows = ReturnType<typeof planFixedRows>;

/** Plans a run. Pure. Record batches do not depend on threads or chunk size, so that neither do the output bytes. */
export function planFixedRows(input: FixedRowsInput) {
  const { rowStart, rows, classes, copiedBytesPerRow } = input;
  const rowBytes = input.results.reduce(
    (total, { listSize, width }) => total + listSize * width,
    8 + copiedBytesPerRow,
  );
  const most = input.maxBatchRows ?? Number.POSITIVE_INFINITY;
  const batchRows = Math.min(evenRows(BATCH_BYTES / rowBytes), most);
  const batchCount = Math.ceil(rows / batchRows);
  const bytesOfRow = rowBytes + input.sourceBytes;
  const chunksOfBatch = Math.ceil((batchRows * bytesOfRow) / CHUNK_BYTES);
  const usualRows = Math.ceil(batchRows / chunksOfBatch / 64) * 64;
  const lastRows = evenRows(LAST_CHUNK_BYTES / bytesOfRow);
  const firstLastBatch = batchCount - LAST_BATCHES * input.threads;
  const chunkRowsOf = (rows: number) =>
    Math.min(input.chunkRows ?? rows, batchRows);
  const chunkRows = chunkRowsOf(firstLastBatch > 0 ? usualRows : lastRows);
  const lastChunkRows = chunkRowsOf(lastRows);
  // The last record batch is one of the last; only it may have fewer rows.
  const early = Math.max(0, firstLastBatch);
  const later = batchCount - early;
  const rowsOfLast = rows - (batchCount - 1) * batchRows;
  const chunkCount =
    later === 0
      ? 0
      : early * Math.ceil(batchRows / chunkRows) +
        (later - 1) * Math.ceil(batchRows / lastChunkRows) +
        Math.ceil(rowsOfLast / lastChunkRows);
  const { results, sourceBytes } = input;
  const blocks = planRowBlocks(classes, results, sourceBytes, chunkRows);
  const fitting = Math.floor(LOAD_BYTES / sourceBytes);
  const loadRows = Math.min(Math.max(blocks.rowBlockSize, fitting), chunkRows);
  const small =
    rows * bytesOfRow <= (input.threadsAvailable ? INLINE_BYTES : START_BYTES);
  const threads = small ? 0 : Math.min(input.threads, chunkCount);
  return {
    rowStart,
    rows,
    classes,
    /** Rows of each record batch except the last. */
    batchRows,
    batchCount,
    chunkRows,
    /** Rows per task in record batches from `firstLastBatch` on. */
    lastChunkRows,
    firstLastBatch,
    chunkCount,
    /** Rows that a worker reads at once: one or more row blocks. */
    loadRows,
    ...blocks,
    /** Number of worker threads; 0 if the main thread computes. */
    threads,
    slots: threads === 0 ? 1 : threads + 1,
  };
}

/** Returns the rows of record batch `k`. */
export function batchRange(plan: FixedRows, k: number): RowRange {
  const { rowStart, rows, batchRows } = plan;
  return span(rowStart + k * batchRows, batchRows, rowStart + rows);
}

/** Returns the rows of each task of record batch `k`. */
export function chunksOf(plan: FixedRows, k: number): RowRange[] {
  const { rowStart, rowEnd } = batchRange(plan, k);
  const rows = k < plan.firstLastBatch ? plan.chunkRows : plan.lastChunkRows;
  const count = Math.ceil((rowEnd - rowStart) / rows);
  return Array.from({ length: count }, (_, n) =>
    span(rowStart + n * rows, rows, rowEnd),
  );
}

function span(rowStart: number, rows: number, end: number): RowRange {
  return { rowStart, rowEnd: Math.min(rowStart + rows, end) };
}

/** Rounds down to a multiple of 64, so that bitmaps of batches end on whole words; below 64 to a whole number. */
function evenRows(rows: number): number {
  const whole = Math.max(1, Math.floor(rows));
  return whole >= 64 ? whole - (whole % 64) : whole;
}
