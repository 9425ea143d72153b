/**
 * exp(d + delta)·2^512 as an unevaluated sum high + low, for d <= 0.
 *
 * Cody-Waite reduction d + delta = n·ln 2 + r + rLow with |r| <= 0.3466: n·LN2_HIGH is exact (LN2_HIGH ends in 20 zero
 * bits, |n| < 1443), the subtraction is exact, and rLow carries what r cannot hold, delta with it. Then
 * exp(r) = 1 + r + r²/2 + … + r¹³/13! (remainder below 2^-57.7), summed so that low keeps what high rounds away:
 * the pair is within 0.1·2^-52 of the true value, relative.
 *
 * The factor 2^512 keeps high a normal number for every d that can matter (d > -1000), so that the only rounding into
 * the subnormals is the caller's last division. d <= -1000 gives exactly 0: its share is under 2^-1442.
 *
 * The operations and their order are those of workers/kernels/exp.ts, so the bits are too.
 */
const LOG2_E = Math.LOG2E;
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
/** 1.5·2^52: adding it rounds to the nearest integer (ties to even). */
const ROUND_MAGIC = 6755399441055744;
const EXP_FLOOR = -1000;
/** 2^512, the factor that every value of scaledExp carries. */
export const EXP_SCALE = 2 ** 512;

const bits = new DataView(new ArrayBuffer(8));
function powerOfTwo(exponent: number): number {
  bits.setUint32(0, (exponent + 1023) << 20);
  return bits.getFloat64(0);
}

/** Writes high to `high[at]` and low to `low[at]`. */
export function storeScaledExp(
  d: number,
  delta: number,
  high: Float64Array,
  low: Float64Array,
  at: number,
): void {
  if (!(d > EXP_FLOOR)) {
    high[at] = 0;
    low[at] = 0;
    return;
  }
  const n = d * LOG2_E + ROUND_MAGIC - ROUND_MAGIC;
  const t = d - n * LN2_HIGH;
  const c = n * LN2_LOW;
  const r = t - c;
  const rLow = t - r - c + delta;

  const r2 = r * r;
  const r4 = r2 * r2;
  const r8 = r4 * r4;
  const a0 = 1 / 2 + r * (1 / 6);
  const a1 = 1 / 24 + r * (1 / 120);
  const a2 = 1 / 720 + r * (1 / 5040);
  const a3 = 1 / 40320 + r * (1 / 362880);
  const a4 = 1 / 3628800 + r * (1 / 39916800);
  const a5 = 1 / 479001600 + r * (1 / 6227020800);
  const b0 = a0 + r2 * a1;
  const b1 = a2 + r2 * a3;
  const b2 = a4 + r2 * a5;
  const q = r2 * (b0 + (r4 * b1 + r8 * b2));

  const s = 1 + r;
  const rest = r - (s - 1) + q;
  const h = s + rest;
  const l = rest - (h - s) + rLow * h;
  const scale = powerOfTwo(n + 512);
  high[at] = h * scale;
  low[at] = l * scale;
}
