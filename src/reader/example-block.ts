import type { FloatArray } from "./float-array.js";

/** One example's block, of Q classes; nothing more of it is read than is asked for. */
export interface ExampleBlock {
  /** `[Q, Q]`, row-major. */
  block(): Promise<FloatArray>;
  entry(i: number, j: number): Promise<number>;
  /** `[k, k]`: rows and columns of some classes. */
  part(classes: readonly number[]): Promise<Float64Array>;
  /** `[Q]`: entry (i, j) for all i. */
  column(j: number): Promise<FloatArray>;
  /** `[Q]`: sum over j of entry (i, j) · v_j, compensated. */
  multiply(v: Float64Array): Promise<Float64Array>;
}
