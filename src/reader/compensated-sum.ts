import { errorOfProduct, errorOfSum } from "../numeric/portable/work.js";

/** Factors above it are scaled before they are split; splitting itself would overflow. */
const LARGE = 2 ** 990;
const SCALE = 2 ** -64;

/**
 * A sum of products as if in twice the precision, rounded once (Ogita, Rump, Oishi, "Accurate sum and dot product", 2005:
 * Dot2): the error is about 1 ε of the result and n² ε² of the sum of the products' sizes.
 */
export class CompensatedSum {
  #sum = 0;
  #lost = 0;

  add(a: number, b: number): void {
    const product = a * b;
    const sum = this.#sum + product;
    this.#lost +=
      errorOfSum(this.#sum, product, sum) + productError(a, b, product);
    this.#sum = sum;
  }

  /** The sum; past the largest float64 it is infinite. */
  get value(): number {
    return Number.isFinite(this.#sum) ? this.#sum + this.#lost : this.#sum;
  }
}

function productError(a: number, b: number, product: number): number {
  const scaleA = Math.abs(a) > LARGE ? SCALE : 1;
  const scaleB = Math.abs(b) > LARGE ? SCALE : 1;
  const scale = scaleA * scaleB;
  return errorOfProduct(a * scaleA, b * scaleB, product * scale) / scale;
}
