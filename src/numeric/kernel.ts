/**
 * What a worker calls, on raw byte addresses in the slots' memory. Two implementations give the same bits:
 * the SIMD module (workers/kernels) and plainKernel. A `boolean` after an address says that the values there are float32
 * (else float64). Addresses are multiples of the value's width; a work area is laid out as in work-area.ts.
 */
export interface Kernel {
  /** Softmax of one row into `work`. Returns 1, or 0 for a bad row, whose work area is cleared. */
  loadRow(
    source: number,
    float32: boolean,
    classes: number,
    work: number,
  ): number;
  /** p, `classes` values, to `out`. */
  storeSoftmax64(work: number, classes: number, out: number): void;
  storeSoftmax32(work: number, classes: number, out: number): void;
  /** Rows [iStart, iEnd) of the block to `out`, row-major. */
  storeTile64(
    work: number,
    classes: number,
    iStart: number,
    iEnd: number,
    out: number,
  ): void;
  storeTile32(
    work: number,
    classes: number,
    iStart: number,
    iEnd: number,
    out: number,
  ): void;
  /**
   * loadRow, softmax and whole block for `rows` rows; jacobianOut 0 leaves the blocks out.
   * The bad rows' numbers go to `badRows` (int32). Returns their count.
   */
  storeBlocks(
    source: number,
    sourceFloat32: boolean,
    rows: number,
    classes: number,
    work: number,
    softmaxOut: number,
    jacobianOut: number,
    outFloat32: boolean,
    badRows: number,
  ): number;
  /** `classes` columns of `rows` values (`bytes` = 4 or 8 each), one after the other, to row-major. */
  interleave(
    columns: number,
    rows: number,
    classes: number,
    bytes: number,
    out: number,
  ): void;
  /** first, first + 1, … as int64. */
  storeRowNumbers(first: number, rows: number, out: number): void;
}
