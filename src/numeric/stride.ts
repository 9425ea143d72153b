import type { Kernel } from "./kernel.js";
import { enter } from "./portable/machine.js";
import { ENTRY_BYTES, storeEntry } from "./portable/program.js";

/** Rows of logits in memory and what is to be made of them; addresses in bytes. */
export interface Stride {
  kernel: Kernel;
  buffer: ArrayBufferLike;
  /** Row-major, float32 or float64. */
  source: number;
  sourceFloat32: boolean;
  rows: number;
  classes: number;
  temperature: number;
  work: number;
  program: number;
  badRows: number;
  results: StrideResult[];
}

export interface StrideResult {
  code: number;
  param: number;
  type: "float32" | "float64" | "int32";
  width: number;
  values: number;
  block: "square" | "triangle" | null;
  /** Where row 0 goes. */
  out: number;
  /** Row 0 of the other input (float64), and its bytes per row; 0 for none. */
  input: number;
  inputBytes: number;
}

/** Stores every result of every row. Returns the bad rows, from 0; their results are zeros. */
export function computeStride(stride: Stride): Int32Array {
  const { kernel, buffer, program, results } = stride;
  enter(buffer);
  results.forEach((result, n) => {
    storeEntry(
      program + n * ENTRY_BYTES,
      result.code,
      result.out,
      result.values * result.width,
      result.input,
      result.inputBytes,
      result.param,
      result.type === "float32",
    );
  });
  const bad = kernel.storeRows(
    stride.source,
    stride.sourceFloat32,
    stride.rows,
    stride.classes,
    stride.temperature,
    stride.work,
    program,
    results.length,
    stride.badRows,
  );
  return new Int32Array(buffer, stride.badRows, bad);
}

/**
 * One row whose blocks do not fit: blocks in tiles of `tileRows` rows, `onTile(n, iStart, iEnd)` after each tile of the
 * n-th result, which then stands at `outOf(n, iStart)`. Returns false for a bad row, whose results are zeros.
 */
export function computeTiles(
  stride: Stride,
  tileRows: number,
  outOf: (result: number, iStart: number) => number,
  onTile: (result: number, iStart: number, iEnd: number) => void,
): boolean {
  const { kernel, buffer, classes, work, results } = stride;
  let good =
    kernel.loadRow(
      stride.source,
      stride.sourceFloat32,
      classes,
      stride.temperature,
      work,
    ) !== 0;
  results.forEach((result, n) => {
    const rows = result.block === null ? classes : tileRows;
    for (let i = 0; i < classes; i += rows) {
      const end = Math.min(i + rows, classes);
      const out = result.block === null ? result.out : outOf(n, i);
      good =
        good &&
        kernel.storeResult(
          result.code,
          work,
          classes,
          i,
          end,
          result.input,
          result.param,
          out,
          result.type === "float32",
        ) !== 0;
      if (!good) {
        const values = result.block === null ? result.values : rows * classes;
        new Uint8Array(buffer, out, values * result.width).fill(0);
      }
      if (result.block !== null) onTile(n, i, end);
    }
  });
  return good;
}
