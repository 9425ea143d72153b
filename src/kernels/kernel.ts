/**
 * What a worker calls, on raw byte addresses in the slots' memory. Two implementations give the same bits:
 * the SIMD module (src/kernels/simd) and plainKernel. A `boolean` after an address says that the values there are float32
 * (else float64). Addresses are multiples of the value's width; a work area is laid out as in portable/work.ts, a program
 * as in portable/program.ts, and results have the codes of portable/codes.ts.
 */
export interface Kernel {
  /** Once, before any other call on a work area: what never changes in it. */
  prepare(work: number): void;
  /** Softmax of one row into `work`. Returns 1, or 0 for a bad row, whose work area is cleared. */
  loadRow(
    source: number,
    float32: boolean,
    classes: number,
    temperature: number,
    work: number,
  ): number;
  /**
   * One result of the row in `work` to `out`; of a block, rows [iStart, iEnd), the first ones first. `input` is the
   * address of the row's other input (float64). Returns 1, or 0 where that input is not finite or no class.
   */
  storeResult(
    code: number,
    work: number,
    classes: number,
    iStart: number,
    iEnd: number,
    input: number,
    param: number,
    out: number,
    float32: boolean,
  ): number;
  /**
   * A stride: loadRow, then each of the program's results, for `rows` consecutive rows. Bad rows (those with a bad other
   * input too) get zeros, and their numbers go to `badRows` (int32). Returns their count.
   */
  storeRows(
    source: number,
    sourceFloat32: boolean,
    rows: number,
    classes: number,
    temperature: number,
    work: number,
    program: number,
    results: number,
    badRows: number,
  ): number;
  /**
   * Finds the entries of the block in `work` (`code`: JACOBIAN or LOG_JACOBIAN) that are large enough, as
   * portable/sparse.ts says; `space` as in portable/sparse-space.ts; what is left out to `dropped`. Returns their count.
   */
  countEntries(
    code: number,
    work: number,
    classes: number,
    space: number,
    threshold: number,
    topK: number,
    float32: boolean,
    dropped: number,
  ): number;
  /**
   * Of the entries just counted those of rows [iStart, iEnd): i·Q + j to `indices`, or i there and j to `columns` (where
   * that is not 0), int32, and the values. Tiles of rows come in order, each once. Returns how many there are.
   */
  storeEntries(
    work: number,
    classes: number,
    space: number,
    iStart: number,
    iEnd: number,
    indices: number,
    columns: number,
    values: number,
    float32: boolean,
  ): number;
  /** `count` float32 values to float64. */
  widen(source: number, count: number, out: number): void;
  /** `classes` columns of `rows` values (`bytes` = 1, 2, 4 or 8 each), one after the other, to row-major. */
  interleave(
    columns: number,
    rows: number,
    classes: number,
    bytes: number,
    out: number,
  ): void;
  /** The value at `from`, of 4 or 8 bytes, `count` times. */
  repeat(out: number, from: number, bytes: number, count: number): void;
  /** first, first + 1, … as int64. */
  storeRowNumbers(first: number, rows: number, out: number): void;
}
