import { pairIndex } from "../results/reductions.js";

/**
 * Weighted means over the rows of one group, for Q classes and K features. Symmetric indices are packed in lexicographic
 * order: Q2 pairs j <= l, Q3 triples j <= l <= c, K2 pairs of features.
 *
 *   mean of   1      x            x xᵀ             T = ∂J/∂η
 *   1                x [K]        xx [K2]
 *   p         p [Q]  px [Q, K]
 *   J         j [Q2] jx [Q2, K]   jxx [Q2, K2]
 *   T                tx [Q3, K]   txx [Q3, K2]
 */
export type Means = { readonly [name in MeanName]?: Float64Array };
export type MeanName =
  | ("x" | "xx" | "p" | "px")
  | ("j" | "jx" | "jxx" | "tx" | "txx");

/** Returns the index of {j, l, c} among the triples j <= l <= c < n. */
export function tripleIndex(j: number, l: number, c: number, n: number) {
  const low = Math.min(j, l, c);
  const high = Math.max(j, l, c);
  // The last tripleCount(n - low) triples have no class below `low`; those that begin with `low` come first.
  const pair = pairIndex(high - low, j + l + c - high - 2 * low, n - low);
  return tripleCount(n) - tripleCount(n - low) + pair;
}

/** Returns the number of triples j <= l <= c < count. */
export function tripleCount(count: number): number {
  return (count * (count + 1) * (count + 2)) / 6;
}

/** Removes the rows and columns of class `omitted` from a matrix with the index c·K + k. */
export function withoutClass(
  matrix: Float64Array,
  features: number,
  omitted: number,
): Float64Array {
  const n = Math.sqrt(matrix.length);
  const isKept = (index: number) => Math.trunc(index / features) !== omitted;
  return matrix.filter((_, i) => isKept(Math.trunc(i / n)) && isKept(i % n));
}
