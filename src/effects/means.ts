import { CompensatedSums } from "../kernels/linear-model.js";
import { type ReferenceRow, referenceRow } from "../reference/row.js";
import { at, toDouble } from "../reference/scaled.js";

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

const ONE = Float64Array.of(1);

/** Returns the index of {j, l} among the pairs j <= l < count. */
export function pairIndex(j: number, l: number, count: number): number {
  const low = j < l ? j : l;
  return low * count - (low * (low + 1)) / 2 + (j < l ? l : j);
}

/** Returns the index of {j, l, c} among the triples j <= l <= c < n. */
export function tripleIndex(j: number, l: number, c: number, n: number) {
  const low = Math.min(j, l, c);
  const high = Math.max(j, l, c);
  // The last tripleCount(n - low) triples have no class below `low`; those that begin with `low` come first.
  const pair = pairIndex(high - low, j + l + c - high - 2 * low, n - low);
  return tripleCount(n) - tripleCount(n - low) + pair;
}

/** Returns the number of pairs j <= l < count. */
export function pairCount(count: number): number {
  return (count * (count + 1)) / 2;
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

/** Returns the named means of the single row x with logits x B. B is features × classes, row-major. */
export function meansAt(
  x: Float64Array,
  b: Float64Array,
  names: readonly MeanName[],
): Means {
  const { p, q } = softmaxAt(x, b);
  const { j, t } = derivatives(p, q);
  const K = x.length;
  const xx = outer(x, x).filter((_, i) => i % K >= Math.trunc(i / K));
  const factors: Record<MeanName, [Float64Array, Float64Array]> = {
    ...{ x: [ONE, x], xx: [ONE, xx], p: [p, ONE], px: [p, x], j: [j, ONE] },
    ...{ jx: [j, x], jxx: [j, xx], tx: [t, x], txx: [t, xx] },
  };
  return Object.fromEntries(
    names.map((name) => [name, outer(...factors[name])]),
  );
}

/** Returns p = softmax(x B) and q = 1 - p to the last digit. */
function softmaxAt(x: Float64Array, b: Float64Array) {
  const classes = b.length / x.length;
  const logits = new CompensatedSums(classes);
  for (let k = 0; k < x.length; k++)
    logits.add(0, x[k] as number, b, k * classes, classes);
  const { winner, ...row } = referenceRow(logits.sum) as ReferenceRow;
  const [p, q] = [row.p, row.q].map((values) =>
    logits.sum.map((_, c) => toDouble(at(values, c))),
  ) as [Float64Array, Float64Array];
  // To first order the lost digits change p by J·lost. Relative to the predicted class's, their mean is of the size of q.
  const peak = logits.lost[winner] as number;
  const lost = logits.lost.map((value) => value - peak);
  const mean = p.reduce(
    (sum, value, c) => sum + value * (lost[c] as number),
    0,
  );
  const change = p.map((value, c) => value * ((lost[c] as number) - mean));
  return {
    p: p.map((value, c) => value + (change[c] as number)),
    q: q.map((value, c) => value - (change[c] as number)),
  };
}

/**
 * Returns J and T packed: J_jj = p_j q_j and J_jl = -p_j p_l; T_jjj = p_j q_j (q_j - p_j), T_jjl = -p_j p_l (q_j - p_j) and
 * T_jlc = 2 p_j p_l p_c.
 */
function derivatives(p: Float64Array, q: Float64Array) {
  const j = new Float64Array(pairCount(p.length));
  const t = new Float64Array(tripleCount(p.length));
  let [pair, triple] = [0, 0];
  p.forEach((first, a) => {
    for (let b = a; b < p.length; b++) {
      const [middle, rest] = [p[b] as number, q[b] as number];
      j[pair++] = first * (a === b ? rest : -middle);
      for (let c = b; c < p.length; c++) {
        const product = first * (p[c] as number);
        // If two classes are equal, b is one of them.
        if (a === c) t[triple++] = middle * rest * (rest - middle);
        else if (a < b && b < c) t[triple++] = 2 * middle * product;
        else t[triple++] = -(product * (rest - middle));
      }
    }
  });
  return { j, t };
}

function outer(a: Float64Array, b: Float64Array): Float64Array {
  return new Float64Array(a.length * b.length).map((_, at) => {
    const i = Math.trunc(at / b.length);
    return (a[i] as number) * (b[at - i * b.length] as number);
  });
}
