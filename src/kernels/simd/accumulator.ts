// Exact accumulators: a double is cut at fixed places of base 2^32, and its digits are added to 64-bit integers without
// carries. An accumulator stores the six highest places of the largest term so far and drops what lies below, less than
// 2^-160 of that term. Places are fixed and carries wait until the end, so the stored state does not depend on the order of
// additions or on how accumulators are merged. 2^30 additions fit.
//
//   0   digits of places top - 5 … top     i64[6]       place i has the weight 2^(32·i - 1088)
//   48  top; 0: no term yet                i64

@inline export const ACCUMULATOR_BYTES: usize = 56;
@inline const TOP: usize = 48;
@inline const DIGITS: i32 = 6;
@inline const MANTISSA: i64 = 0x000fffffffffffff;
@inline const HIDDEN_BIT: i64 = 0x0010000000000000;
@inline const LOW: i64 = 0xffffffff;

/** Adds a term. Returns false, and adds nothing, if it is NaN or infinite. */
@inline
export function addTerm(at: usize, term: f64): bool {
  const bits = reinterpret<i64>(term);
  if (bits << 1 == 0) return true;
  let exponent = <i32>(bits >> 52) & 2047;
  if (exponent == 2047) return false;
  let mantissa = bits & MANTISSA;
  if (exponent != 0) mantissa |= HIDDEN_BIT;
  else exponent = 1;
  const shift = exponent + 13; // of the last bit, from 2^-1088
  const h = <i64>(shift & 31);
  const bottom = shift >> 5;
  let top = <i32>load<i64>(at, TOP);
  if (bottom + 2 > top) {
    raise(at, bottom + 2);
    top = bottom + 2;
  }
  const sign = bits >> 63; // 0 or -1
  const low = mantissa << h;
  const d0 = ((low & LOW) ^ sign) - sign;
  const d1 = ((low >>> 32) ^ sign) - sign;
  const d2 = ((mantissa >>> 32 >>> (32 - h)) ^ sign) - sign;
  const k = bottom - top + DIGITS - 1;
  if (k >= 0) {
    const digit = at + (<usize>k << 3);
    store<i64>(digit, load<i64>(digit) + d0);
    store<i64>(digit, load<i64>(digit, 8) + d1, 8);
    store<i64>(digit, load<i64>(digit, 16) + d2, 16);
  } else {
    if (k + 1 >= 0) store<i64>(at, load<i64>(at) + d1);
    if (k + 2 >= 0) addDigit(at, k + 2, d2);
  }
  return true;
}

@inline
function addDigit(at: usize, k: i32, digit: i64): void {
  const address = at + (<usize>k << 3);
  store<i64>(address, load<i64>(address) + digit);
}

/** Moves the places up to `top`, which drops the lowest ones. */
function raise(at: usize, top: i32): void {
  const current = <i32>load<i64>(at, TOP);
  store<i64>(at, <i64>top, TOP);
  const by = current == 0 ? DIGITS : min(top - current, DIGITS);
  for (let k = 0; k < DIGITS; k++) {
    const from = k + by;
    store<i64>(at + (<usize>k << 3), from < DIGITS ? load<i64>(at + (<usize>from << 3)) : 0);
  }
}

/** Adds the accumulator at `from` to the one at `at`. */
export function mergeAccumulator(at: usize, from: usize): void {
  const other = <i32>load<i64>(from, TOP);
  if (other == 0) return;
  if (other > <i32>load<i64>(at, TOP)) raise(at, other);
  const by = other - <i32>load<i64>(at, TOP);
  for (let k = -by; k < DIGITS; k++) addDigit(at, k + by, load<i64>(from + (<usize>k << 3)));
}

/** Returns the correctly rounded sum. `digits` is scratch memory of eight i64. */
export function roundedSum(at: usize, digits: usize): f64 {
  let negative = false;
  let carry = carryDigits(at, digits, 1);
  if (carry < 0) {
    negative = true;
    carry = carryDigits(at, digits, -1);
  }
  store<i64>(digits, carry & LOW, 48);
  store<i64>(digits, carry >> 32, 56);
  let k = 7;
  while (k >= 0 && load<i64>(digits + (<usize>k << 3)) == 0) k--;
  if (k < 0) return 0.0;
  // Bits are counted from the lowest place stored; bit 0 has the weight 2^(32·(top - 5) - 1088).
  const lead = (k << 5) + 63 - <i32>clz<i64>(load<i64>(digits + (<usize>k << 3)));
  const base = ((<i32>load<i64>(at, TOP) - 5) << 5) - 1088;
  // The last bit of the result: 52 below the leading one, but not below 2^-1074.
  const last = max(lead - 52, -1074 - base);
  let mantissa: i64 = 0;
  for (let b = lead; b >= last; b--) mantissa = (mantissa << 1) | bitAt(digits, b);
  if (last > 0 && bitAt(digits, last - 1) != 0) {
    let sticky = false;
    for (let b = last - 2; b >= 0 && !sticky; b--) sticky = bitAt(digits, b) != 0;
    if (sticky || (mantissa & 1) != 0) mantissa++;
  }
  const scale = last + base;
  // A power of two; in two steps, since one alone may be subnormal or exceed float64.
  const half = scale / 2;
  const value = <f64>mantissa * power(half) * power(scale - half);
  return negative ? -value : value;
}

/** Stores the digits times `sign` with all carries done; returns the carry out of the highest one. */
function carryDigits(at: usize, digits: usize, sign: i64): i64 {
  let carry: i64 = 0;
  for (let k = 0; k < DIGITS; k++) {
    const digit = sign * load<i64>(at + (<usize>k << 3)) + carry;
    store<i64>(digits + (<usize>k << 3), digit & LOW);
    carry = digit >> 32;
  }
  return carry;
}

@inline
function bitAt(digits: usize, bit: i32): i64 {
  return bit < 0 ? 0 : (load<i64>(digits + (<usize>(bit >> 5) << 3)) >> <i64>(bit & 31)) & 1;
}

@inline
function power(exponent: i32): f64 {
  return reinterpret<f64>(<i64>(exponent + 1023) << 52);
}
