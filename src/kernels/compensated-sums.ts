import { errorOfProduct, errorOfSum } from "./portable/work.js";

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
