// In an Arrow bitmap, bit k is bit k % 8 (0 is the lowest) of byte ⌊k/8⌋.

/** Copies `count` bits from bit `from` of `source` (null: all ones) to bit `at` of `target`, whose bits there are 0. */
export function appendBits(
  target: Uint8Array,
  at: number,
  source: Uint8Array | null,
  from: number,
  count: number,
): void {
  for (let k = 0; k < count; k++) {
    if (source && bitAt(source, from + k) === 0) continue;
    const t = at + k;
    target[t >> 3] = (target[t >> 3] as number) | (1 << (t & 7));
  }
}

/** Returns bit k, 0 or 1. */
export function bitAt(bitmap: Uint8Array, k: number): number {
  return ((bitmap[k >> 3] as number) >> (k & 7)) & 1;
}

/** Counts the zeros among the first `count` bits. */
export function countZeros(bitmap: Uint8Array, count: number): number {
  let zeros = 0;
  for (let k = 0; k < count; k++) zeros += 1 - bitAt(bitmap, k);
  return zeros;
}
