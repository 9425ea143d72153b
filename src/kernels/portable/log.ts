import { loadF64, storeF64 } from "./machine.js";
import {
  errorOfProduct,
  errorOfSum,
  LOG,
  LOG_LOW,
  TAIL,
  TAIL_LOW,
  UNSCALE,
} from "./work.js";

// ln 2 in two doubles; n·LN2_HIGH is exact for n < 2^20.
const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;
/** 2^-60 */
const TINY: f64 = 8.673617379884035e-19;
const SQRT2: f64 = Math.SQRT2;

/**
 * Stores log(S) = log1p(tail) in two doubles at LOG and LOG_LOW, with a relative error of about 2^-60.
 *
 * S = 2^n·f with f in [√½, √2), log S = n·ln 2 + 2 atanh(z), z = (f - 1)/(f + 1) in two doubles. For n = 0, f - 1 is
 * tail itself, so that a small tail keeps all its digits. The series of atanh ends at z^27/27; its remainder is under
 * 2^-69, since |z| <= 0.1716.
 */
export function storeLog(work: usize): void {
  const tail = loadF64(work + TAIL) * UNSCALE;
  const tailLow = loadF64(work + TAIL_LOW) * UNSCALE;
  if (tail < TINY) {
    // log1p(x) = x - x²/2 + …
    storeF64(work + LOG, tail);
    storeF64(work + LOG_LOW, tailLow - 0.5 * tail * tail);
    return;
  }
  let n: f64 = 0.0;
  let scale: f64 = 1.0;
  let x = tail;
  let xLow = tailLow;
  if (1.0 + tail >= SQRT2) {
    // f - 1 = (1 + tail)·2^-n - 1, exact in two doubles
    let f = 1.0 + tail;
    while (f >= SQRT2) {
      f *= 0.5;
      scale *= 0.5;
      n += 1.0;
    }
    const rest = scale - 1.0;
    x = tail * scale + rest;
    xLow = tailLow * scale + errorOfSum(tail * scale, rest, x);
  }
  const below = 2.0 + x;
  const belowLow = errorOfSum(2.0, x, below) + xLow;
  const z = x / below;
  const product = z * below;
  const zLow =
    (x - product - errorOfProduct(z, below, product) + (xLow - z * belowLow)) /
    below;

  const z2 = z * z;
  const z4 = z2 * z2;
  const c0 = 1.0 / 3.0 + z2 * (1.0 / 5.0);
  const c1 = 1.0 / 7.0 + z2 * (1.0 / 9.0);
  const c2 = 1.0 / 11.0 + z2 * (1.0 / 13.0);
  const c3 = 1.0 / 15.0 + z2 * (1.0 / 17.0);
  const c4 = 1.0 / 19.0 + z2 * (1.0 / 21.0);
  const c5 = 1.0 / 23.0 + z2 * (1.0 / 25.0);
  const z8 = z4 * z4;
  const series =
    c0 + z4 * c1 + z8 * (c2 + z4 * c3) + z8 * z8 * (c4 + z4 * (c5 + z4 / 27.0));
  // 2 atanh(z) = 2 z + 2 z³·series; z² and the product have a relative error of 2^-53, in a term of at most 1 % of the sum
  const small = 2.0 * (zLow + z * z2 * series);
  const large = 2.0 * z;

  const whole = n * LN2_HIGH;
  const sum = whole + large;
  const low = errorOfSum(whole, large, sum) + (n * LN2_LOW + small);
  const log = sum + low;
  storeF64(work + LOG, log);
  storeF64(work + LOG_LOW, low - (log - sum));
}
