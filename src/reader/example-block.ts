import type { FloatArray } from "./float-array.js";

/** Block of one row of logits. Methods read only the entries that they return. */
export interface ExampleBlock {
  /** Returns the block, `[Q, Q]` row-major. */
  block(): Promise<FloatArray>;
  entry(i: number, j: number): Promise<number>;
  /** Returns the rows and columns of some classes, `[k, k]` row-major. */
  part(classes: readonly number[]): Promise<Float64Array>;
  /** Returns column j, `[Q]`: entry (i, j) for all i. */
  column(j: number): Promise<FloatArray>;
  /** Returns the block times v, `[Q]`: sum over j of entry (i, j) · v_j, with compensated summation. */
  multiply(v: Float64Array): Promise<Float64Array>;
}
