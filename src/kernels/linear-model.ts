import { errorOfProduct, errorOfSum } from "./portable/work.js";
import { splitCoefficients } from "./sums-layout.js";

/**
 * Sums of products, with the rounding errors in sums of their own (Ogita, Rump, Oishi: Dot2): sum + lost has an error
 * near n² ε² of the sum of |terms|. Factors and values stay below 2^996.
 */
export class CompensatedSums {
  readonly sum: Float64Array;
  readonly lost: Float64Array;

  constructor(count: number) {
    this.sum = new Float64Array(count);
    this.lost = new Float64Array(count);
  }

  /**
   * Adds factor·x_r to sum at + r for r < count; x is row k of the packed symmetric matrix that starts at `from`. Row 0 is
   * contiguous.
   */
  add(
    at: number,
    factor: number,
    values: Float64Array,
    from: number,
    count = 1,
    k = 0,
  ): void {
    const { sum, lost } = this;
    let index = from + k;
    for (let r = at; r < at + count; r++) {
      const x = values[index] as number;
      index += r - at < k ? count - (r - at) - 1 : 1;
      const product = factor * x;
      const before = sum[r] as number;
      const after = before + product;
      const error =
        errorOfSum(before, product, after) + errorOfProduct(factor, x, product);
      sum[r] = after;
      lost[r] = (lost[r] as number) + error;
    }
  }

  rounded(): Float64Array {
    return this.sum.map((value, r) => value + (this.lost[r] as number));
  }
}

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
    this.#logits = linearMap(module, coefficients, features, classes, rows);
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

/** Returns the function that stores x B for up to `maxRows` rows of x. */
function linearMap(
  module: object,
  b: Float64Array,
  factors: number,
  values: number,
  maxRows: number,
): RowMap {
  try {
    return simdMap(module, b, factors, values, maxRows);
  } catch (error) {
    // The address space is limited (`ulimit -v`), or the matrix has more than 4 GiB.
    if (!(error instanceof RangeError || error instanceof TypeError))
      throw error;
    return (x, to) => storePlain(b, factors, values, x, to);
  }
}

/** Stores x B as storeLinear does, with the same bits. */
function storePlain(
  b: Float64Array,
  factors: number,
  values: number,
  x: Float64Array,
  to: Float64Array,
): void {
  for (let n = 0; n < to.length; n++) {
    const c = n % values;
    const row = ((n - c) / values) * factors;
    let [sum, low] = [0, 0];
    for (let k = 0; k < factors; k++) {
      const [xk, value] = [x[row + k] as number, b[k * values + c] as number];
      const product = xk * value;
      const total = sum + product;
      low +=
        errorOfSum(sum, product, total) + errorOfProduct(xk, value, product);
      sum = total;
    }
    const finite = Number.isFinite(sum) ? sum : Number.NaN;
    to[n] = finite + (Number.isFinite(low) ? low : 0);
  }
}

/** Returns linearMap's function with the kernel in a memory of its own. @throws RangeError, TypeError without the memory */
function simdMap(
  module: object,
  b: Float64Array,
  factors: number,
  values: number,
  maxRows: number,
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
  const map = linearMap(module, w, 3 * products, pairs, maxRows);
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
