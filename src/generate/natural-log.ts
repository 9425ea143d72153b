const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/**
 * log x for 2^-60 < x < 1, within 2 units of the last place, of additions, products and quotients alone: these IEEE 754
 * fixes to the bit. Math.log is each engine's own.
 *
 * x = f·2^-n with f in [√½, √2); log x = 2 atanh((f - 1)/(f + 1)) - n ln 2, the series up to z^23/23 (|z| <= 0.1716:
 * the remainder is under 2^-62).
 */
export function naturalLog(x: number): number {
  let f = x;
  let n = 0;
  while (f < Math.SQRT1_2) {
    f *= 2;
    n++;
  }
  const z = (f - 1) / (f + 1);
  const z2 = z * z;
  let sum = 0;
  for (let k = 23; k >= 3; k -= 2) sum = (sum + 1 / k) * z2;
  return 2 * z - n * LN2_HIGH + (2 * z * sum - n * LN2_LOW);
}
