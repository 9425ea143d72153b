/** Sizes of a result. */
export interface PlannedResult {
  /** Values per row as computed, and as stored in the output. */
  values: number;
  listSize: number;
  width: number;
  block: "square" | "triangle" | null;
}

/** Output of a row block, which stays in cache between kernel and write (512 KiB is 5 % slower, 2 MiB 10 %). */
const ROW_BLOCK_BYTES = 2 ** 20;

/**
 * Returns the number of rows that are computed at once, and the rows of a Jacobian block that are computed at once if a
 * whole block does not fit. A row block reads at most twice what it stores (covariances are larger than their results).
 */
export function planRowBlocks(
  classes: number,
  results: PlannedResult[],
  sourceBytes: number,
  rows: number,
) {
  const sum = (total: number, bytes: number) => total + bytes;
  const computed = results.map(({ values, width }) => values * width);
  const rowBytes = Math.max(computed.reduce(sum, 8), sourceBytes / 2);
  const blockRowBytes = results.map(({ block, width }) =>
    block === null ? 1 : classes * width,
  );
  const fitting = Math.floor(ROW_BLOCK_BYTES / Math.max(1, ...blockRowBytes));
  const tileRows = Math.min(classes, Math.max(1, fitting));
  const fittingRows = Math.min(rows, Math.floor(ROW_BLOCK_BYTES / rowBytes));
  return {
    /** Rows of a row block, which a worker computes and writes at once. */
    rowBlockSize: tileRows < classes ? 1 : Math.max(1, fittingRows),
    /** Rows of a Jacobian block that fit a slot; fewer than `classes` if blocks are written in tiles. */
    tileRows,
  };
}
