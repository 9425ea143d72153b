import { AbortedError } from "../errors.js";
import { CompensatedSums } from "../kernels/compensated-sums.js";
import { powerOfTwo, Scaled, store } from "../reference/scaled.js";

/** Row-major n × n. */
type Matrix = Float64Array;
type Vector = Float64Array;

/** Largest |v_ij - v_ji| relative to √|v_ii v_jj|, or to v_ij if that is larger. */
const MAX_ASYMMETRY = 1e-8;
/** Relative increase of the diagonal that gives a positive semidefinite matrix a Cholesky factor. */
const SEMIDEFINITE_SLACK = 1e-8;

/** Returns uᵀ A u with an error near ε of |u|ᵀ|A||u| for any n. A is exactly symmetric. */
export function quadraticForm(a: Matrix, n: number, u: Vector): number {
  const product = new CompensatedSums(n);
  for (let i = 0; i < n; i++) {
    const factor = u[i] as number;
    if (factor === 0) continue;
    product.add(i, factor, a, i * n + i);
    product.add(i + 1, 2 * factor, a, i * n + i + 1, n - i - 1);
  }
  const total = new CompensatedSums(1);
  for (let i = 0; i < n; i++) {
    total.add(0, u[i] as number, product.sum, i);
    total.add(0, u[i] as number, product.lost, i);
  }
  return total.rounded()[0] as number;
}

/** Returns A B with compensated sums. */
function multiply(a: Matrix, b: Matrix, n: number): Matrix {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = new CompensatedSums(n);
    for (let k = 0; k < n; k++) row.add(0, a[i * n + k] as number, b, k * n, n);
    out.set(row.rounded(), i * n);
  }
  return out;
}

/** Returns the robust covariance H⁻¹ O H⁻¹, exactly symmetric. */
export function sandwich(inverse: Matrix, o: Matrix, n: number): Matrix {
  return symmetrized(multiply(multiply(inverse, o, n), inverse, n), n);
}

export type Inverse =
  | { kind: "inverse"; matrix: Matrix }
  /** Row `index` is, but for rounding errors, a combination of the rows before it. */
  | { kind: "singular"; index: number };

/**
 * Inverts a positive definite matrix: Cholesky factor of A scaled to a diagonal in [1, 4), then one step of refinement,
 * X + (I - X A) X with a compensated residual. A pivot of at most n ε of its diagonal entry counts as 0. A and the inverse
 * are exactly symmetric.
 */
export function invertPositiveDefinite(a: Matrix, n: number): Inverse {
  const scale = diagonalScale(a, n);
  const scaled = scaledBy(scale, a, n);
  const factor = scaled.slice();
  const index = factorize(factor, n, n * Number.EPSILON);
  if (index >= 0) return { kind: "singular", index };

  const x = squared(invertFactor(factor, n), n);
  const refined = factor;
  for (let i = 0; i < n; i++) {
    const residual = new CompensatedSums(n);
    residual.sum[i] = 1;
    for (let k = 0; k < n; k++)
      residual.add(0, -(x[i * n + k] as number), scaled, k * n, n);
    const rest = residual.rounded();
    for (let j = 0; j < n; j++)
      refined[i * n + j] = (x[i * n + j] as number) + dot(rest, 0, x, j * n, n);
  }
  const matrix = scaledBy(scale, symmetrized(refined, n), n);
  return { kind: "inverse", matrix };
}

/** Least pivot of G, relative to its diagonal, with which indexOfSmallPivot is accurate enough. */
const MIN_CONDITION = 1e-6;

/**
 * Returns the index of the first pivot of a positive definite matrix A, relative to I ⊗ G, that is at most `least` (1e-8 or
 * less); -1 if there is none, and if G is so close to singular that rounding errors would decide. G is k × k.
 */
export function indexOfSmallPivot(
  a: Matrix,
  n: number,
  g: Matrix,
  k: number,
  least: number,
): number {
  const scale = diagonalScale(g, k);
  const factor = scaledBy(scale, g, k);
  if (factorize(factor, k, MIN_CONDITION) >= 0) return -1;
  const inverse = invertFactor(factor, k);
  const scales = new Float64Array(n).map((_, i) => scale[i % k] as number);
  // With G = L Lᵀ: (I ⊗ L⁻¹) A (I ⊗ L⁻¹)ᵀ, whose pivots are those of A relative to I ⊗ G.
  const half = timesBlocks(scaledBy(scales, a, n), inverse, k);
  const relative = timesBlocks(transposed(half, n), inverse, k);
  return factorize(relative, n, 0, least);
}

/** Returns A (I ⊗ U) for an upper triangle U, k × k. */
function timesBlocks(a: Matrix, u: Matrix, k: number): Matrix {
  return a.map((_, at) => {
    const column = at % k;
    let sum = 0;
    for (let m = 0; m <= column; m++)
      sum += (a[at - column + m] as number) * (u[m * k + column] as number);
    return sum;
  });
}

function transposed(a: Matrix, n: number): Matrix {
  return a.map((_, at) => a[(at % n) * n + Math.trunc(at / n)] as number);
}

/**
 * Returns why a matrix of finite numbers is no covariance; null if it is one. Thousands of rows take minutes, so it pauses for
 * signals.
 * @throws AbortedError
 */
export async function covarianceProblem(
  v: Matrix,
  n: number,
  signal?: AbortSignal,
): Promise<string | null> {
  const pause = pausing(signal);
  const root = (i: number) => Math.sqrt(Math.abs(v[i * n + i] as number));
  for (let row = 0; row < n; row++) {
    await pause();
    for (let column = 0; column < n; column++) {
      const value = v[row * n + column] as number;
      const other = v[column * n + row] as number;
      const scale = Math.max(root(row) * root(column), Math.abs(value));
      if (Math.abs(value - other) > MAX_ASYMMETRY * scale)
        return `it is not symmetric: [${row},${column}] is ${value} and [${column},${row}] is ${other}`;
    }
  }
  const scaled = scaledBy(diagonalScale(v, n), v, n);
  for (let i = 0; i < n; i++) {
    const row = scaled.subarray(i * n, (i + 1) * n);
    // Parameters of the reference class have no variance.
    if (row.every((value) => value === 0)) row[i] = 1;
    else row[i] = (row[i] as number) * (1 + SEMIDEFINITE_SLACK);
  }
  for (let i = 0; i < n; i++) {
    await pause();
    if (!factorizeRow(scaled, n, i, 0))
      return "it is not positive semidefinite, so it is no covariance";
  }
  return null;
}

/** Milliseconds of work between two pauses. */
const STEP_MS = 20;

/** Returns a function that waits for events if the last pause is long ago. It throws AbortedError once `signal` is aborted. */
function pausing(signal: AbortSignal | undefined): () => Promise<void> | void {
  let pauseAt = performance.now() + STEP_MS;
  return async () => {
    if (performance.now() < pauseAt) return;
    await new Promise(setImmediate);
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    pauseAt = performance.now() + STEP_MS;
  };
}

/** Returns (V + Vᵀ)/2, or V itself if it is exactly symmetric. */
export function symmetrized(v: Matrix, n: number): Matrix {
  const out = v.map((value, at) => {
    const row = Math.trunc(at / n);
    return value / 2 + (v[(at - row * n) * n + row] as number) / 2;
  });
  return out.every((value, at) => value === v[at]) ? v : out;
}

/** Returns powers of two s_i with 1 <= s_i² a_ii < 4, so that scaling is exact; 1 unless a_ii > 0. */
function diagonalScale(a: Matrix, n: number): Vector {
  const number = new Scaled();
  return new Float64Array(n).map((_, i) => {
    store(number, Math.max(0, a[i * n + i] as number));
    return powerOfTwo(-(number.exponent >> 1));
  });
}

/** Returns the matrix of s_i a_ij s_j. */
function scaledBy(s: Vector, a: Matrix, n: number): Matrix {
  return a.map((value, at) => {
    const row = Math.trunc(at / n);
    return value * (s[row] as number) * (s[at - row * n] as number);
  });
}

/**
 * Replaces the lower triangle by the Cholesky factor. Returns the index of the first pivot that is at most `least` of its
 * diagonal entry, or at most `bound`, or -1.
 */
function factorize(a: Matrix, n: number, least: number, bound = 0): number {
  for (let i = 0; i < n; i++)
    if (!factorizeRow(a, n, i, least, bound)) return i;
  return -1;
}

/** Replaces a row of the lower triangle, whose rows before it are replaced. Returns whether its pivot is large enough. */
function factorizeRow(
  a: Matrix,
  n: number,
  i: number,
  least: number,
  bound = 0,
): boolean {
  for (let j = 0; j < i; j++) {
    const rest = (a[i * n + j] as number) - dot(a, i * n, a, j * n, j);
    a[i * n + j] = rest / (a[j * n + j] as number);
  }
  const diagonal = a[i * n + i] as number;
  const pivot = diagonal - dot(a, i * n, a, i * n, i);
  if (!(pivot > Math.max(bound, least * diagonal))) return false;
  a[i * n + i] = Math.sqrt(pivot);
  return true;
}

/** Returns (L⁻¹)ᵀ, whose row j is column j of L⁻¹. */
function invertFactor(l: Matrix, n: number): Matrix {
  const out = new Float64Array(n * n);
  for (let j = 0; j < n; j++)
    for (let i = j; i < n; i++) {
      const sum = dot(l, i * n + j, out, j * n + j, i - j);
      out[j * n + i] = ((i === j ? 1 : 0) - sum) / (l[i * n + i] as number);
    }
  return out;
}

/** Returns A Aᵀ for the upper triangle A. */
function squared(a: Matrix, n: number): Matrix {
  return a.map((_, at) => {
    const [i, j] = [Math.trunc(at / n), at % n];
    const from = Math.max(i, j);
    return dot(a, i * n + from, a, j * n + from, n - from);
  });
}

/** Returns Σ a[i + k] b[j + k], k < n. */
function dot(a: Vector, i: number, b: Vector, j: number, n: number): number {
  let sum = 0;
  for (let k = 0; k < n; k++)
    sum += (a[i + k] as number) * (b[j + k] as number);
  return sum;
}
