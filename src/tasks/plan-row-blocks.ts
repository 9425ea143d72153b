/** What a plan must know of a result. */
export interface PlannedResult {
  /** Values of a row as computed, and as they stand in the output. */
  values: number;
  listSize: number;
  width: number;
  block: "square" | "triangle" | null;
}

/** Output of a stride: it stays in cache between kernel and write (512 KiB is 5 % slower, 2 MiB 10 %). */
const ROW_BLOCK_BYTES = 2 ** 20;

/**
 * Rows that are computed at once (a stride reads at most twice what it stores: covariances are larger than what becomes
 * of them), and rows of a block where not even one row's results fit.
 */
export function planRowBlocks(
  classes: number,
  results: PlannedResult[],
  sourceBytes: number,
  rows: number,
): { rowBlockSize: number; tileRows: number } {
  const computedBytes = results.reduce(
    (total, { values, width }) => total + values * width,
    8,
  );
  const blockRowBytes = results.reduce(
    (most, { block, width }) =>
      block === null ? most : Math.max(most, classes * width),
    1,
  );
  const tileRows = Math.min(
    classes,
    Math.max(1, Math.floor(ROW_BLOCK_BYTES / blockRowBytes)),
  );
  const rowBlockSize =
    tileRows < classes
      ? 1
      : Math.max(
          1,
          Math.min(
            rows,
            Math.floor(
              ROW_BLOCK_BYTES / Math.max(computedBytes, sourceBytes / 2),
            ),
          ),
        );
  return { rowBlockSize, tileRows };
}
