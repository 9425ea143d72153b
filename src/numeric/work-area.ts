/**
 * What one row's softmax leaves for the Jacobian, as plain arrays.
 *
 * In a slot the same values stand as bytes (W = classes rounded up to even):
 *
 * | byte    | what                                  | type   |
 * |---------|---------------------------------------|--------|
 * | 0       | tail/S, the winner's diagonal factor   | f64    |
 * | 8       | argmax                                | i32    |
 * | 64      | the SIMD kernel's table for exp       | f64[20] |
 * | 256     | p                                     | f64[W] |
 * | 256+8W  | e, high part, scaled by 2^512         | f64[W] |
 * | 256+16W | e, low part                           | f64[W] |
 */
const HEADER = 256;

export interface WorkArea {
  /** [0] = tail/S: J[a,a] = p_a·(tail/S). */
  readonly winner: Float64Array;
  readonly argmax: Int32Array;
  readonly p: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
}

/** Classes rounded up to whole f64x2 vectors. */
export function paddedClasses(classes: number): number {
  return classes + (classes & 1);
}

/** Bytes of a work area. */
export function workAreaBytes(classes: number): number {
  return HEADER + 24 * paddedClasses(classes);
}

/** The work area at byte `address` of `buffer`. */
export function workAreaAt(
  buffer: ArrayBufferLike,
  address: number,
  classes: number,
): WorkArea {
  const width = paddedClasses(classes);
  return {
    winner: new Float64Array(buffer, address, 1),
    argmax: new Int32Array(buffer, address + 8, 1),
    p: new Float64Array(buffer, address + HEADER, width),
    high: new Float64Array(buffer, address + HEADER + 8 * width, width),
    low: new Float64Array(buffer, address + HEADER + 16 * width, width),
  };
}
