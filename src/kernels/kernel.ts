import type { storePortableResult } from "./portable/results.js";
import type { countEntries, storeEntries } from "./portable/sparse.js";

/**
 * Functions on byte addresses in the memory of the slots. Two implementations give the same bits: the SIMD module
 * (src/kernels/simd) and plainKernel. `float32` is the type of the values at an address: float32, or else float64.
 * Addresses are multiples of the width of their values. Layouts: work area in portable/work.ts, program in
 * portable/program.ts, space of entries in portable/sparse-space.ts; result codes are in portable/codes.ts.
 */
export interface Kernel {
  /** Stores the constants of a work area; must be called before any other function uses the area. */
  prepare(work: number): void;
  /** Computes the softmax of one row into `work`. Returns 1, or 0 for a bad row, whose work area is cleared. */
  loadRow(
    source: number,
    float32: boolean,
    classes: number,
    temperature: number,
    work: number,
  ): number;
  /**
   * Stores any result as storePortableResult does; rows of a block in ascending order over several calls. Returns 1, or 0
   * if the auxiliary input is bad.
   */
  storeResult(...result: Parameters<typeof storePortableResult>): number;
  /**
   * Stores the results of the program for `rows` consecutive rows. Results of bad rows (including those with a bad
   * auxiliary input) are zeros; the numbers of these rows are stored to `badRows` (int32). Returns their count.
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
  countEntries: typeof countEntries;
  storeEntries: typeof storeEntries;
  /** Converts `count` float32 values to float64. */
  widen(source: number, count: number, out: number): void;
  /** Transposes `classes` consecutive columns of `rows` values (`bytes` = 1, 2, 4 or 8 each) to row-major. */
  interleave(
    columns: number,
    rows: number,
    classes: number,
    bytes: number,
    out: number,
  ): void;
  /** Stores `count` copies of the value at `from`, of 4 or 8 bytes. */
  repeat(out: number, from: number, bytes: number, count: number): void;
  /** Stores first, first + 1, … as int64. */
  storeRowNumbers(first: number, rows: number, out: number): void;
}
