// Exact accumulators: a double is cut into digits of base 2^32 at fixed places, which are added to 64-bit integers without
// carries. An accumulator stores the six highest places of the largest term so far and drops what lies below, less than
// 2^-160 of that term. Places are fixed and carries wait until the end, so the stored state does not depend on the order of
// additions or on how accumulators are merged. 2^30 additions fit. Two accumulators are stored together, one per lane:
//
//   0   digits of places top - 5 … top     i64x2[6]     place i has the weight 2^(32·i - 1088); digits are in [-2^31, 2^31]
//   96  top: the terms are < 2^31 of it    i64x2

@inline const PAIR_BYTES: usize = 112;
@inline const LANE: usize = 8;
@inline const STEP: usize = 16;
@inline const TOP: usize = 96;
@inline const DIGITS: i32 = 6;
@inline const LOW: i64 = 0xffffffff;

/** 1.5·2^52 units of the highest place after scaling. The sum of it and a term is the term rounded to whole units. */
@inline const MAGIC: f64 = 1572864.0;
@inline const DOWN: f64 = 2.3283064365386963e-10; // 2^-32

/** Returns the address of accumulator n of those at `first`. */
@inline
export function accumulatorAt(first: usize, n: usize): usize {
  return first + (n >> 1) * PAIR_BYTES + (n & 1) * LANE;
}

/** Adds values to accumulators n to n + count - 1 of those at `first`. Returns false if a value is NaN or infinite. */
export function addValues(first: usize, n: usize, from: usize, count: usize): bool {
  let at = first + (n >> 1) * PAIR_BYTES;
  let finite = true;
  if (n & 1) {
    finite = addTerms(at, v128.load64_lane(from, f64x2.splat(0.0), 1));
    at += PAIR_BYTES;
    from += LANE;
    count--;
  }
  const end = from + (count >> 1) * STEP;
  for (; from < end; from += STEP, at += PAIR_BYTES) finite = addTerms(at, v128.load(from)) && finite;
  return count & 1 ? addTerms(at, v128.load64_zero(from)) && finite : finite;
}

/** Adds a term to each accumulator of a pair. Returns false, and adds nothing, if one is NaN or infinite. */
function addTerms(at: usize, terms: v128): bool {
  let rest = scaled(at, terms);
  if (!i64x2.all_true(isPlaced(rest))) {
    if (!raiseTo(at, terms, isPlaced(rest))) return false;
    rest = scaled(at, terms);
  }
  rest = addDigits(at + 5 * STEP, rest, MAGIC);
  rest = addDigits(at + 4 * STEP, rest, MAGIC * DOWN);
  rest = addDigits(at + 3 * STEP, rest, MAGIC * DOWN * DOWN);
  rest = addDigits(at + 2 * STEP, rest, MAGIC * DOWN * DOWN * DOWN);
  if (v128.any_true(f64x2.ne(rest, f64x2.splat(0.0)))) {
    rest = addDigits(at + STEP, rest, MAGIC * DOWN * DOWN * DOWN * DOWN);
    addDigits(at, rest, MAGIC * DOWN * DOWN * DOWN * DOWN * DOWN);
  }
  return true;
}

/** Moves the places up for the terms that are not placed. Returns false if a term is NaN or infinite. */
function raiseTo(at: usize, terms: v128, placed: v128): bool {
  for (let lane: usize = 0; lane < 2; lane++) {
    const bits = lane == 0 ? i64x2.extract_lane(terms, 0) : i64x2.extract_lane(terms, 1);
    const exponent = <i32>(bits >> 52) & 2047;
    if (exponent == 2047) return false;
    const isLanePlaced = lane == 0 ? i64x2.extract_lane(placed, 0) : i64x2.extract_lane(placed, 1);
    // The first place whose 2^31 units exceed the term.
    if (isLanePlaced == 0) raise(at + lane * LANE, max(exponent, 1) + 66 >> 5);
  }
  return true;
}

/** Returns terms·2^(32·(33 - top)), so that the unit of the highest place is 2^-32: in two steps, since one may overflow. */
@inline
function scaled(at: usize, terms: v128): v128 {
  const half = i64x2.shl(i64x2.sub(i64x2.splat(1023 + 16 * 33), i64x2.shl(v128.load(at, TOP), 4)), 52);
  return f64x2.mul(f64x2.mul(terms, half), half);
}

/** Returns which scaled terms have no digit above the highest place; none that is NaN or infinite. */
@inline
function isPlaced(rest: v128): v128 {
  return f64x2.lt(f64x2.abs(rest), f64x2.splat(0.5));
}

/** Adds the digits of one place; returns the rest of the terms. */
@inline
function addDigits(at: usize, terms: v128, magic: f64): v128 {
  const offset = f64x2.splat(magic);
  const sum = f64x2.add(terms, offset);
  v128.store(at, i64x2.add(v128.load(at), i64x2.sub(sum, offset)));
  return f64x2.sub(terms, f64x2.sub(sum, offset));
}

/** Moves the places of an accumulator up to `top`, which drops the lowest ones. */
function raise(at: usize, top: i32): void {
  const by = min(top - <i32>load<i64>(at, TOP), DIGITS);
  store<i64>(at, <i64>top, TOP);
  for (let k = 0; k < DIGITS; k++) {
    const from = k + by;
    store<i64>(at + <usize>k * STEP, from < DIGITS ? load<i64>(at + <usize>from * STEP) : 0);
  }
}

/** Adds `count` accumulators at `from` to those at `at`. */
export function mergeAccumulators(at: usize, from: usize, count: usize): void {
  const end = from + (count + 1 >> 1) * PAIR_BYTES;
  for (; from < end; from += PAIR_BYTES, at += PAIR_BYTES) {
    if (i64x2.all_true(i64x2.eq(v128.load(at, TOP), v128.load(from, TOP)))) {
      for (let k: usize = 0; k < TOP; k += STEP) v128.store(at + k, i64x2.add(v128.load(at + k), v128.load(from + k)));
    } else {
      mergeAccumulator(at, from);
      mergeAccumulator(at + LANE, from + LANE);
    }
  }
}

function mergeAccumulator(at: usize, from: usize): void {
  const other = <i32>load<i64>(from, TOP);
  if (other > <i32>load<i64>(at, TOP)) raise(at, other);
  const by = <i32>load<i64>(at, TOP) - other;
  for (let k = by; k < DIGITS; k++) {
    const digit = at + <usize>(k - by) * STEP;
    store<i64>(digit, load<i64>(digit) + load<i64>(from + <usize>k * STEP));
  }
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
  const place = k;
  // The 64 bits from the leading one on; the last one is set if any bit below them is, so that converting them rounds once.
  const high = digitAt(digits, k) << 32 | digitAt(digits, k - 1);
  const low = digitAt(digits, k - 2) << 32 | digitAt(digits, k - 3);
  const shift = clz<i64>(high);
  let bits = high << shift | (shift == 0 ? 0 : low >>> (64 - shift));
  let rest = low << shift;
  for (k -= 4; k >= 0; k--) rest |= digitAt(digits, k);
  if (rest != 0) bits |= 1;
  const scale = (<i32>load<i64>(at, TOP) - 5 + place - 1 << 5) - 1088 - <i32>shift;
  // A power of two; in two steps, since one alone may be subnormal or exceed float64.
  const half = scale / 2;
  const value = <f64><u64>bits * power(half) * power(scale - half);
  return negative ? -value : value;
}

/** Stores the digits times `sign` with all carries done; returns the carry out of the highest one. */
function carryDigits(at: usize, digits: usize, sign: i64): i64 {
  let carry: i64 = 0;
  for (let k = 0; k < DIGITS; k++) {
    const digit = sign * load<i64>(at + <usize>k * STEP) + carry;
    store<i64>(digits + (<usize>k << 3), digit & LOW);
    carry = digit >> 32;
  }
  return carry;
}

@inline
function digitAt(digits: usize, k: i32): i64 {
  return k < 0 ? 0 : load<i64>(digits + (<usize>k << 3));
}

@inline
function power(exponent: i32): f64 {
  return reinterpret<f64>(<i64>(exponent + 1023) << 52);
}
