/**
 * exp(d + delta)·2^512 as an unevaluated sum high + low, for d <= 0.
 *
 * Reduction by a table of 128: d + delta = n·ln 2/128 + r + rLow with |r| <= 0.00271: n·STEP_HIGH is exact (STEP_HIGH
 * ends in 22 zero bits, |n| < 2^18), the subtraction is exact, and rLow carries what r cannot hold, delta with it.
 * exp(r) - 1 = r + r²/2 + … + r⁵/120 (remainder below 2^-60 of the whole). With n = 128 m + j the result is
 * 2^m·2^(j/128)·exp(r), 2^(j/128) in two doubles from the table, summed so that low keeps what high rounds away: the
 * pair is within 0.02·2^-52 of the true value, relative. high alone is not: delta and rLow are in low.
 *
 * The factor 2^512 keeps high a normal number for every d that can matter (d > -1000), so that the only rounding into
 * the subnormals is the caller's last division. d <= -1000 gives exactly 0: its share is under 2^-1442.
 *
 * The operations and their order are those of workers/kernels/exp.ts, so the bits are too.
 */
const STEPS_PER_ONE = 184.6649652337873;
const STEP_HIGH = 0.00541521234481479;
const STEP_LOW = 3.309782317038503e-12;
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

/** Writes high to `high[at]` and low to `low[at]`; `table` has 2^(j/128), high and low in turn. */
export function storeScaledExp(
  d: number,
  delta: number,
  table: Float64Array,
  high: Float64Array,
  low: Float64Array,
  at: number,
): void {
  if (!(d > EXP_FLOOR)) {
    high[at] = 0;
    low[at] = 0;
    return;
  }
  const n = d * STEPS_PER_ONE + ROUND_MAGIC - ROUND_MAGIC;
  const t = d - n * STEP_HIGH;
  const c = n * STEP_LOW;
  const r = t - c;
  const rLow = t - r - c + delta;

  const r2 = r * r;
  const a0 = 1 / 2 + r * (1 / 6);
  const a1 = 1 / 24 + r * (1 / 120);
  const p = r + r2 * (a0 + r2 * a1);

  const j = n & 127;
  const root = table[2 * j] as number;
  const part = root * p;
  const h = root + part;
  const l = part - (h - root) + ((table[2 * j + 1] as number) + rLow * h);
  const scale = powerOfTwo(Math.floor(n / 128) + 512);
  high[at] = h * scale;
  low[at] = l * scale;
}
