import { Decimal } from "decimal.js";

/** Decimal with 80 significant digits and an exponent range far beyond float64. */
export const Exact = Decimal.clone({ precision: 80, minE: -9e15, maxE: 9e15 });

/** Spacing of float64 numbers at 1. */
export const EPSILON = 2 ** -52;
const SMALLEST_NORMAL = new Exact(2).pow(-1022);
/** Number of subnormal steps in 1. */
const STEPS = new Exact(2).pow(1074);

const bits = new DataView(new ArrayBuffer(8));

/**
 * Returns exactly x. (`new Decimal(x)` converts the shortest string that reads back as x, which is off by up to half an ulp.)
 */
export function exact(x: number): Decimal {
  bits.setFloat64(0, x);
  const high = bits.getUint32(0);
  const exponent = (high >>> 20) & 0x7ff;
  const fraction = (high & 0xfffff) * 2 ** 32 + bits.getUint32(4);
  // The decimal string of an integer below 2^53 is exact.
  const mantissa = exponent === 0 ? fraction : fraction + 2 ** 52;
  return new Exact(high >>> 31 ? -mantissa : mantissa).times(
    powerOfTwo(Math.max(exponent, 1) - 1075),
  );
}

const powers = new Map<number, Decimal>();

function powerOfTwo(exponent: number): Decimal {
  const power = powers.get(exponent) ?? new Exact(2).pow(exponent);
  powers.set(exponent, power);
  return power;
}

/** Returns, for each value, the sum of the others. Without subtraction, small sums keep all digits. */
export function sumsOfOthers(values: readonly Decimal[]): Decimal[] {
  const after: Decimal[] = [];
  let sum = new Exact(0);
  for (const value of values.toReversed()) {
    after.push(sum);
    sum = sum.plus(value);
  }
  let before = new Exact(0);
  return values.map((value, k) => {
    const others = before.plus(after[values.length - 1 - k] as Decimal);
    before = before.plus(value);
    return others;
  });
}

/** Returns |value - truth| in units of ε·|truth|, or of 2^-1074, the step of subnormals, if that is larger. */
export function errorInEpsilon(value: number, truth: Decimal): number {
  const error = exact(value).minus(truth).abs();
  const size = truth.abs();
  // Quotients of 80 digits are slow; far from underflow 16 digits are enough.
  if (size.gt(1e-200)) return error.toNumber() / EPSILON / size.toNumber();
  if (size.lt(SMALLEST_NORMAL)) return error.times(STEPS).toNumber();
  return error.div(size.times(EPSILON)).toNumber();
}

/** Returns |value - truth| in ulp: the distance of neighbouring doubles at the true value, at least 2^-1074. */
export function errorInUlp(value: number, truth: Decimal): number {
  const size = truth.abs();
  if (size.isZero()) return value === 0 ? 0 : Infinity;
  let exponent = -1022;
  if (size.gt(SMALLEST_NORMAL)) {
    exponent = Math.floor(Math.log2(size.toNumber()));
    if (powerOfTwo(exponent).gt(size)) exponent--;
    else if (powerOfTwo(exponent + 1).lte(size)) exponent++;
  }
  return exact(value)
    .minus(truth)
    .abs()
    .times(powerOfTwo(52 - exponent))
    .toNumber();
}
