import type { RowRange } from "../results/row-axes.js";
import { type PlannedResult, planRowBlocks } from "../tasks/plan-row-blocks.js";

/** Input of the planning arithmetic. */
export interface PlanInput {
  /** First row of the run in its input; default 0. */
  rowStart?: number;
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

/** Returns the rows of a run: those of the shard `part`, or all rows of the input. */
export function rowsOf(
  part: RowRange | null,
  { rows }: { rows: number },
): { rowStart: number; rows: number } {
  return part
    ? { rowStart: part.rowStart, rows: part.rowEnd - part.rowStart }
    : { rowStart: 0, rows };
}

/** Rows of one task; all belong to one record batch. */
export interface ChunkPlan extends RowRange {
  batch: number;
}

/** A plan without lists, so that its size is constant. */
export interface PlanSizes {
  rows: number;
  classes: number;
  batchRows: number;
  /** Number of record batches; each has `batchRows` rows, except the last. */
  batchCount: number;
  chunkRows: number;
  /** Rows per task in record batches from `firstLastBatch` on. */
  lastChunkRows: number;
  firstLastBatch: number;
  chunkCount: number;
  /** Rows that a worker reads at once: one or more row blocks. */
  loadRows: number;
  /** Rows of a row block, which a worker computes and writes at once. */
  rowBlockSize: number;
  /** Rows of a Jacobian block that fit a slot; fewer than `classes` if blocks are written in tiles. */
  tileRows: number;
  /** Number of worker threads; 0 if the main thread computes. */
  threads: number;
  slots: number;
}

export interface Plan extends PlanSizes {
  batches: RowRange[];
  chunks: ChunkPlan[];
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

/** Plans a run. Pure. Record batches do not depend on threads or chunk size, so that neither do the output bytes. */
export function planRun(input: PlanInput): Plan {
  const { rowStart = 0, rows } = input;
  const sizes = planSizes(input);
  const { batchRows, chunkRows, lastChunkRows, firstLastBatch } = sizes;
  const batches = spans(rowStart, rowStart + rows, batchRows);
  const chunks = batches.flatMap(({ rowStart, rowEnd }, batch) =>
    spans(
      rowStart,
      rowEnd,
      batch < firstLastBatch ? chunkRows : lastChunkRows,
    ).map((span) => ({ ...span, batch })),
  );
  return { ...sizes, batches, chunks };
}

/** Plans a run without listing its record batches and chunks. */
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
    rows * bytesOfRow <= (input.threadsAvailable ? INLINE_BYTES : START_BYTES);
  const threads = small ? 0 : Math.min(input.threads, chunkCount);
  return {
    rows,
    classes,
    batchRows,
    batchCount,
    chunkRows,
    lastChunkRows,
    firstLastBatch,
    chunkCount,
    loadRows,
    rowBlockSize,
    tileRows,
    threads,
    slots: threads === 0 ? 1 : threads + 1,
  };
}

/** Rounds down to a multiple of 64, so that bitmaps of batches end on whole words; below 64 to a whole number. */
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
