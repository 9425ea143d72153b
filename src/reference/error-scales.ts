import { covarianceEntries } from "./products.js";
import type { ReferenceName } from "./result.js";

/** Guaranteed bound of an error. */
export interface Bound {
  limit: number;
  /** ulp: the distance of neighbouring numbers at the true value; ε: 2^-52 of the value, or of its `errorScale`. */
  unit: "ulp" | "ε";
}

const ulp = (limit: number): Bound => ({ limit, unit: "ulp" });
const epsilons = (limit: number): Bound => ({ limit, unit: "ε" });

/** Guaranteed bound of the error of each result that a kernel computes in float64 (docs/results.md). */
export const PROMISED_BOUNDS: Readonly<Record<ReferenceName, Bound>> = {
  softmax: ulp(1),
  log_softmax: epsilons(1),
  logsumexp: epsilons(1),
  jacobian: ulp(1),
  packed: ulp(1),
  log_jacobian: epsilons(3),
  column: ulp(1),
  diagonal: ulp(1),
  trace: epsilons(3),
  vjp: epsilons(4),
  jvp: epsilons(4),
  log_vjp: epsilons(4),
  log_jvp: epsilons(4),
  factor: epsilons(4),
  covariance: epsilons(6),
  variance: epsilons(6),
  std_error: epsilons(6.5),
  cross_entropy: epsilons(1),
  gradient: epsilons(3),
  entropy: epsilons(3),
  gini: epsilons(3),
  argmax: ulp(0),
  confidence: ulp(1),
  uncertainty: ulp(1),
  tail: epsilons(1),
};

/** Numbers of a row from which scales are computed; float64 is enough for scales. */
export interface RowSizes {
  winner: number;
  p: ArrayLike<number>;
  /** 1 - p_k. */
  q: ArrayLike<number>;
  /** (o_k - o_a)/T; -Infinity where masked. */
  d: ArrayLike<number>;
  temperature: number;
  /** o_a/T */
  peak: number;
  /** log1p(tail) */
  log: number;
}

type Scale = (row: RowSizes, input: ArrayLike<number>) => Float64Array;

/** A scale whose ε is half the smallest subnormal. */
const SUBNORMAL = 2 ** -1022;

const SCALES: { [name in ReferenceName]?: Scale } = {
  // o_a/T and log1p(tail) may cancel, which leaves 2^-8 ε of the larger.
  logsumexp: ({ peak, log }) =>
    Float64Array.of(Math.abs(peak + log) + (Math.abs(peak) + log) / 256),
  vjp: productScale,
  jvp: productScale,
  log_jvp: (row, v) => offMean(row, v).sizes.map((x) => x / row.temperature),
  log_vjp: logVjpScale,
  factor: factorScale,
  covariance: (row, sigma) => covarianceScale(row, sigma, true),
  variance: (row, sigma) => covarianceScale(row, sigma, false),
  std_error: stdErrorScale,
};

/**
 * Returns the scales of the errors of a result whose terms may cancel: sums of absolute terms (docs/results.md), plus the
 * error of subnormal p. null: errors are relative to the values themselves.
 *
 * @param row called only if the result has scales
 */
export function errorScale(
  name: ReferenceName,
  row: () => RowSizes,
  input: ArrayLike<number>,
): Float64Array | null {
  return (
    SCALES[name]?.(row(), input).map((size) =>
      Number.isFinite(size) ? size : Number.MAX_VALUE,
    ) ?? null
  );
}

/** Returns |v_k - v_a| + Σ p_j |v_j - v_a| plus the error of subnormal p, and that error alone. */
function offMean({ p, winner }: RowSizes, v: ArrayLike<number>) {
  const away = Float64Array.from(v, (x) => Math.abs(x - (v[winner] as number)));
  const spread = meanOf(p, (k) => away[k] as number);
  const steps = away.reduce((sum, size) => sum + size * SUBNORMAL, 0);
  return { sizes: away.map((size) => size + spread + steps), steps };
}

/** Returns Σ p_k value(k). */
function meanOf(p: ArrayLike<number>, value: (k: number) => number): number {
  let sum = 0;
  for (let k = 0; k < p.length; k++) sum += (p[k] as number) * value(k);
  return sum;
}

function productScale(row: RowSizes, v: ArrayLike<number>): Float64Array {
  const { p, temperature } = row;
  const { sizes, steps } = offMean(row, v);
  return sizes.map(
    (size, k) => ((p[k] as number) * size + steps) / temperature,
  );
}

function logVjpScale(
  { p, q, winner, temperature }: RowSizes,
  g: ArrayLike<number>,
): Float64Array {
  let others = 0;
  let sum = 0;
  for (let k = 0; k < g.length; k++) {
    const value = g[k] as number;
    if (k !== winner) others += Math.abs(value);
    sum += value;
  }
  const all = others + Math.abs(g[winner] as number);
  return Float64Array.from(g, (value, k) => {
    const size =
      k === winner
        ? others + (q[k] as number) * Math.abs(sum)
        : Math.abs(value) + (p[k] as number) * all;
    return size / temperature;
  });
}

/** Returns the values themselves; p_k below e^-1000 count as 0, as their roots are below 1e-217. */
function factorScale({ p, q, d, log, temperature }: RowSizes): Float64Array {
  const Q = p.length;
  const least = (1e-217 * 2 ** 52) / Math.min(1, Math.sqrt(temperature));
  const scale = new Float64Array(Q * Q);
  for (let k = 0; k < Q; k++) {
    // The root of a subnormal p would have few digits.
    const root =
      Math.exp(((d[k] as number) - log) / 2) / Math.sqrt(temperature);
    for (let i = 0; i < Q; i++) {
      const other = (i === k ? q : p)[i] as number;
      scale[i * Q + k] = other * root + least;
    }
  }
  return scale;
}

/**
 * Returns the scale of the variance over the standard error, as the derivative of the root, but at most over the root of an ε of
 * that scale: where the variance cancels, its root has half the digits. Values under 1e-155, whose squares underflow, may be 0.
 */
function stdErrorScale(
  row: RowSizes,
  covariance: ArrayLike<number>,
): Float64Array {
  const { p, temperature } = row;
  const sizeAt = offMeans(row, covariance, 1);
  const valueAt = offMeans(row, covariance, -1);
  return Float64Array.from(p, (share, i) => {
    const size = sizeAt(i, i);
    const least = 1e-155 * 2 ** 52;
    if (size === 0) return least;
    const root = Math.sqrt(Math.max(valueAt(i, i), size * Number.EPSILON));
    return (share / temperature) * (size / root) + least;
  });
}

/** Returns p_i p_j (|Σ'_ij| + r_i + c_j + s)/T² plus the error of subnormal p_i p_j; only i = j for the variance. */
function covarianceScale(
  row: RowSizes,
  covariance: ArrayLike<number>,
  whole: boolean,
): Float64Array {
  const { p, temperature } = row;
  const Q = p.length;
  const sizeAt = offMeans(row, covariance, 1);
  const at = (i: number, j: number) => {
    const pp = (p[i] as number) * (p[j] as number) + SUBNORMAL;
    return ((pp / temperature) * sizeAt(i, j)) / temperature;
  };
  return whole
    ? Float64Array.from({ length: Q * Q }, (_, n) =>
        at(Math.floor(n / Q), n % Q),
      )
    : Float64Array.from({ length: Q }, (_, i) => at(i, i));
}

/** Returns |Σ'_ij| + r_i + c_j + s by indices, with Σ' of products.ts; with `sign` -1 the value Σ'_ij - r_i - c_j + s itself. */
function offMeans(
  { p, winner: a }: RowSizes,
  covariance: ArrayLike<number>,
  sign: 1 | -1,
): (i: number, j: number) => number {
  const Q = p.length;
  const sigma = covarianceEntries(covariance, Q);
  const size = (i: number, j: number) => {
    const value = sigma(i, j) - sigma(a, j) - (sigma(i, a) - sigma(a, a));
    return sign > 0 ? Math.abs(value) : value;
  };
  const means = (sizeAt: (k: number, other: number) => number) =>
    Float64Array.from({ length: Q }, (_, k) => meanOf(p, (n) => sizeAt(k, n)));
  const r = means(size);
  const c = means((j, i) => size(i, j));
  const s = meanOf(p, (k) => r[k] as number);
  return (i, j) =>
    size(i, j) + sign * ((r[i] as number) + (c[j] as number)) + s;
}
