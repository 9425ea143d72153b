import { CompensatedSums } from "./compensated-sums.js";
import { errorOfProduct, errorOfSum } from "./portable/work.js";
import { splitCoefficients } from "./sums-layout.js";

/** Multinomial logit model. Arrays are in shared memory, so that messages do not copy them. */
export interface LinearModel {
  /** The compiled kernel of sums, a WebAssembly.Module, which the extractor of declarations does not know. */
  module: object;
  /** Number of features K, with the constant, and of classes Q. */
  features: number;
  classes: number;
  /** Whether the first feature is a constant 1, which the rows lack. */
  intercept: boolean;
  /** [K, Q]. */
  coefficients: Float64Array;
  /** [Q·K, Q·K], symmetric and class-major: the covariance of the coefficients; null: none. */
  covariance: Float64Array | null;
}

/** Values of the rows that are computed at a time; at most 64 rows, and at least two. */
const BLOCK_VALUES = 2 ** 17;

/**
 * Computes the logits x B of rows of features, each with an error of half an ulp but for terms that overflow, and the upper triangles
 * of their covariances, Σ_cd = xᵀ V_cd x = Σ_k≤l (V_ck,dl + V_cl,dk) x_k x_l. Factors are pairs and sums are compensated, since
 * correlations in V cancel. Logits are NaN if a feature is not finite or a sum overflows: -inf would mask the class.
 */
export class ModelRows {
  readonly #model: LinearModel;
  /** Rows that are computed at a time. */
  readonly #rows: number;
  readonly #logits: RowMap;
  readonly #covariances: RowMap | null;

  constructor(model: LinearModel) {
    const { module, features, classes, coefficients } = model;
    this.#model = model;
    const values = model.covariance ? 3 * triangle(features) : features;
    const rows = Math.max(2, Math.min(64, Math.floor(BLOCK_VALUES / values)));
    this.#rows = rows;
    this.#logits = linearMap(module, {
      b: coefficients,
      factors: features,
      values: classes,
      maxRows: rows,
    });
    this.#covariances = model.covariance && quadraticMap(model, rows);
  }

  /**
   * Stores [rows, Q] logits of [rows, K] features without the constant, and [rows, Q(Q+1)/2] covariances if the model has one.
   */
  store(x: Float64Array, logits: Float64Array, covariances?: Float64Array) {
    const { features, classes, intercept } = this.#model;
    const given = features - (intercept ? 1 : 0);
    const pairs = triangle(classes);
    const rows = logits.length / classes;
    for (let start = 0; start < rows; start += this.#rows) {
      const end = Math.min(rows, start + this.#rows);
      const block = new Float64Array((end - start) * features).fill(1);
      for (let r = start; r < end; r++)
        block.set(
          x.subarray(r * given, (r + 1) * given),
          (r - start) * features + features - given,
        );
      this.#logits(block, logits.subarray(start * classes, end * classes));
      if (covariances)
        this.#covariances?.(
          block,
          covariances.subarray(start * pairs, end * pairs),
        );
    }
  }
}

function triangle(n: number): number {
  return (n * (n + 1)) / 2;
}

type RowMap = (x: Float64Array, out: Float64Array) => void;

/** A matrix B [factors, values] for up to `maxRows` rows of factors. */
interface LinearMap {
  b: Float64Array;
  factors: number;
  values: number;
  maxRows: number;
}

/** Returns the function that stores x B. */
function linearMap(module: object, map: LinearMap): RowMap {
  try {
    return simdMap(module, map);
  } catch (error) {
    // The address space is limited (`ulimit -v`), or the matrix has more than 4 GiB.
    if (!(error instanceof RangeError || error instanceof TypeError))
      throw error;
    return (x, to) => storePlain(map, x, to);
  }
}

/** Stores x B as storeLinear does, with the same bits. */
function storePlain(
  { b, factors, values }: LinearMap,
  x: Float64Array,
  to: Float64Array,
): void {
  for (let row = 0; row * values < to.length; row++) {
    const sums = new CompensatedSums(values);
    for (let k = 0; k < factors; k++)
      sums.add(0, x[row * factors + k] as number, b, k * values, values);
    for (const [c, sum] of sums.sum.entries()) {
      const lost = sums.lost[c] as number;
      const finite = Number.isFinite(sum) ? sum : Number.NaN;
      to[row * values + c] = finite + (Number.isFinite(lost) ? lost : 0);
    }
  }
}

/** Returns linearMap's function with the kernel in a memory of its own. @throws RangeError, TypeError without the memory */
function simdMap(
  module: object,
  { b, factors, values, maxRows }: LinearMap,
): RowMap {
  const split = splitCoefficients(b, values);
  const [matrix, rows] = [64, 64 + split.byteLength];
  const out = rows + 8 * maxRows * factors;
  const work = Math.ceil((out + 8 * maxRows * values) / 16) * 16;
  const bytes = work + 32 * values + 48 * factors;
  const pages = Math.ceil(bytes / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { buffer } = memory;
  new Float64Array(buffer, matrix, split.length).set(split);
  const { storeLinear } = new WebAssembly.Instance(
    module as WebAssembly.Module,
    {
      env: { memory, abort: () => {} },
    },
  ).exports as { storeLinear: (...args: number[]) => void };
  return (x: Float64Array, to: Float64Array): void => {
    const count = to.length / values;
    new Float64Array(buffer, rows, x.length).set(x);
    storeLinear(matrix, values, factors, rows, count, out, work);
    to.set(new Float64Array(buffer, out, to.length));
  };
}

/** Returns the function that stores the covariances: a linear map of the products x_k x_l, which are pairs, as are its entries. */
function quadraticMap(
  { module, features, classes, covariance }: LinearModel,
  maxRows: number,
) {
  const v = covariance as Float64Array;
  const n = features * classes;
  const products = triangle(features);
  const pairs = triangle(classes);
  // The high part of a product times the high and the low part of an entry, and the low part times the high one.
  const w = new Float64Array(3 * products * pairs);
  let pair = 0;
  for (let c = 0; c < classes; c++)
    for (let d = c; d < classes; d++, pair++) {
      let at = pair;
      for (let k = 0; k < features; k++)
        for (let l = k; l < features; l++, at += pairs) {
          const one = v[(c * features + k) * n + d * features + l] as number;
          const other =
            k === l
              ? 0
              : (v[(c * features + l) * n + d * features + k] as number);
          const sum = one + other;
          w[at] = sum;
          w[at + products * pairs] = errorOfSum(one, other, sum);
          w[at + 2 * products * pairs] = sum;
        }
    }
  const map = linearMap(module, {
    b: w,
    factors: 3 * products,
    values: pairs,
    maxRows,
  });
  return (x: Float64Array, out: Float64Array): void => {
    const z = new Float64Array((x.length / features) * 3 * products);
    for (let row = 0, at = 0; row < x.length; row += features) {
      for (let k = 0; k < features; k++)
        for (let l = k; l < features; l++, at++) {
          const [xk, xl] = [x[row + k] as number, x[row + l] as number];
          const product = xk * xl;
          z[at] = product;
          z[at + products] = product;
          z[at + 2 * products] = errorOfProduct(xk, xl, product);
        }
      at += 2 * products;
    }
    map(z, out);
  };
}
