// Weighted sums over rows: for each moment Σ w·a·b, where a is a vector of a row's softmax (p, J, ∇J, …) and b is 1, the
// features x, their squares, or the upper triangle of x xᵀ. Layouts and codes are in src/kernels/sums.ts.
//
// Only three steps add anything: up to 64 rows form runs of 8, whose terms are added in order; the sums of the runs are added
// in order; the result goes to an exact accumulator. No FMA. So the result does not depend on how rows are divided.
import { storeLog } from "../portable/log.js";
import {
  ENTRY_BYTES, entryCode, entryInput, entryParam,
} from "../portable/program.js";
import { storePortableResult } from "../portable/results.js";
import { logSoftmaxAt, storeSoftmax } from "../portable/vectors.js";
import { ARGMAX, HEADER, pAt, secondArea, vectorAt, WINNER, winnerOf } from "../portable/work.js";
import {
  BRIER, CALIBRATION, CORRECT, ONE, RELIABILITY, SCORE_OUTER, SOFTMAX, THIRD,
} from "../portable/codes.js";
import { ACCUMULATOR_BYTES, addTerm, mergeAccumulator, roundedSum } from "./accumulator";
import { prepare as prepareWork, setTemperature, softmaxPair } from "./softmax";

@inline const ROWS: i32 = 64;
@inline const RUN: i32 = 8;

// Kinds of b.
@inline const BY_ONE: i32 = 0;
@inline const BY_X: i32 = 1;
@inline const BY_SQUARE: i32 = 2;
@inline const BY_OUTER: i32 = 3;

/** Settings and addresses; the interface SumsPlan of src/kernels/sums.ts, in the same order. */
@unmanaged
class Plan {
  classes: i32;
  features: i32;
  /** Logits [rows, classes]; unused with coefficients. */
  logits: usize;
  float32: i32;
  /** Features [rows, features]; 0: none. */
  x: usize;
  /** Coefficients [classes, features] in three parts: b, its high and its low half; 0: none. */
  coefficients: usize;
  /** Two rows of logits and of their low parts, then [features] x and halves as pairs. */
  logitPairs: usize;
  weights: usize;
  work: usize;
  needsLog: i32;
  /** Vectors a: entries of portable/program.ts; `out` is the offset in a row, `bytes` the number of values. */
  vectors: usize;
  vectorCount: i32;
  /** Rows [64, stride] of the vectors that are multiplied by features. */
  tile: usize;
  tileStride: i32;
  /** Features of the rows of the tile [64, featureStride]. */
  tileX: usize;
  featureStride: i32;
  /** One row, the sum of the run and the sum of all runs, of the vectors that are not multiplied: 3 x [streamed]. */
  stream: usize;
  streamed: i32;
  /** Factors b of 64 rows, for BY_SQUARE and BY_OUTER: [64, factorStride]. */
  factors: usize;
  /** Moments: a's offset, its number of values, kind of b, first sum. */
  moments: usize;
  momentCount: i32;
  /** Results of one product: [tileStride, productStride]. */
  products: usize;
  accumulators: usize;
  /** Bytes of a group: its number of good rows (i64), then its accumulators. */
  groupBytes: i32;
  badRows: usize;
  badCount: i32;
  /** Values of a row of factors, and of a row of products. */
  factorStride: i32;
  productStride: i32;
}

export function prepare(plan: usize, temperature: f64): void {
  const p = changetype<Plan>(plan);
  prepareWork(p.work);
  setTemperature(p.work, p.classes, temperature);
}

/**
 * Adds the rows of a block of the input: `count` row numbers (i32) at `list`, sorted by group, and their groups (i32) at
 * `groups` (0: all in group 0). Appends the numbers of bad rows to badRows. Returns false if a sum of terms is not finite.
 */
export function addRows(plan: usize, list: usize, groups: usize, count: i32): bool {
  const p = changetype<Plan>(plan);
  const other = secondArea(p.work, p.classes);
  let base = p.accumulators;
  let placed = 0;
  let finite = true;
  for (let n = 0; n < count; n += 2) {
    const at = <usize>n << 2;
    const first = <usize>load<i32>(list + at);
    const isPair = n + 1 < count;
    const second = isPair ? <usize>load<i32>(list + at, 4) : first;
    const softmax = softmaxRows(p, first, second);
    const ends = isPair ? 2 : 1;
    for (let k = 0; k < ends; k++) {
      const row = k == 0 ? first : second;
      const work = k == 0 ? p.work : other;
      if (groups != 0) {
        const group = p.accumulators + <usize>load<i32>(groups + at + (<usize>k << 2)) * p.groupBytes;
        if (group != base) {
          if (placed > 0) finite = flush(p, base, placed) && finite;
          base = group;
          placed = 0;
        }
      }
      const weight = p.weights == 0 ? 1.0 : load<f64>(p.weights + (row << 3));
      const isGood = (softmax >> k & 1) != 0 && weight >= 0.0 && weight < Infinity && storeVectors(p, work, row, placed, weight);
      if (!isGood) {
        store<i32>(p.badRows + (<usize>p.badCount << 2), <i32>row);
        p.badCount++;
        continue;
      }
      store<i64>(base, load<i64>(base) + 1);
      if (weight == 0.0) continue;
      addToStream(p, placed);
      if (++placed < ROWS) continue;
      finite = flush(p, base, placed) && finite;
      placed = 0;
    }
  }
  if (placed > 0) finite = flush(p, base, placed) && finite;
  return finite;
}

/** Computes the softmax of two rows; returns which are good, as softmaxPair does. */
function softmaxRows(p: Plan, first: usize, second: usize): i32 {
  const classes = <usize>p.classes;
  if (p.coefficients == 0) {
    const shift: usize = p.float32 ? 2 : 3;
    const good = softmaxPair(
      p.logits + (first * classes << shift), p.logits + (second * classes << shift), p.float32 != 0, classes, p.work, true, true,
    );
    if (p.x == 0) return good;
    return good & finiteRows(p, first, second);
  }
  const good = finiteRows(p, first, second);
  if (good == 0) return 0;
  const logits = p.logitPairs;
  const x = p.x;
  storePairs(p.coefficients, classes, p.features, x + (first * p.features << 3), x + (second * p.features << 3), logits);
  const row = classes << 3;
  return good & softmaxPair(logits, logits + row, false, classes, p.work, true, true, logits + 2 * row, logits + 3 * row);
}

/** Returns 1 if the features of the first row are finite, plus 2 if those of the second one are. */
function finiteRows(p: Plan, first: usize, second: usize): i32 {
  return (isFinite(p, first) ? 1 : 0) | (isFinite(p, second) ? 2 : 0);
}

function isFinite(p: Plan, row: usize): bool {
  const features = <usize>p.features;
  const x = p.x + (row * features << 3);
  let sum = 0.0;
  for (let k: usize = 0; k < features; k++) {
    const value = load<f64>(x + (k << 3));
    sum += value - value;
  }
  return sum == 0.0;
}

/** Stores x B for rows of features, each value rounded once; NaN if a sum is not finite. B is split, `work` as in storePairs. */
export function storeLinear(b: usize, classes: usize, features: usize, x: usize, rows: usize, out: usize, work: usize): void {
  const row = classes << 3;
  const bytes = features << 3;
  for (let r: usize = 0; r < rows; r += 2) {
    const second = r + 1 < rows ? x + bytes : x;
    storePairs(b, classes, features, x, second, work);
    const end = work + (r + 1 < rows ? 2 * row : row);
    for (let at = work; at < end; at += 8) {
      store<f64>(out, load<f64>(at) + load<f64>(at + 2 * row));
      out += 8;
    }
    x += 2 * bytes;
  }
}

/**
 * Stores x B of two rows in two doubles each (Ogita, Rump and Oishi's Dot2 with Dekker's products): two rows of sums, two of
 * their low parts, then work space for [features] x and halves as pairs. B is [classes, features] in three parts: b, its high and
 * its low half.
 */
function storePairs(b: usize, classes: usize, features: usize, x0: usize, x1: usize, out: usize): void {
  const row = classes << 3;
  const halves = out + 4 * row;
  const splitter = f64x2.splat(134217729.0);
  for (let k: usize = 0; k < features; k++) {
    const x = v128.load64_lane(x1 + (k << 3), v128.load64_zero(x0 + (k << 3)), 1);
    const c = f64x2.mul(x, splitter);
    const high = f64x2.sub(c, f64x2.sub(c, x));
    const at = halves + k * 48;
    v128.store(at, x);
    v128.store(at, high, 16);
    v128.store(at, f64x2.sub(x, high), 32);
  }
  const part = classes * features << 3;
  for (let c: usize = 0; c < classes; c++) {
    let sum = f64x2.splat(0.0);
    let low = f64x2.splat(0.0);
    for (let k: usize = 0; k < features; k++) {
      const at = halves + k * 48;
      const x = v128.load(at);
      const xh = v128.load(at, 16);
      const xl = v128.load(at, 32);
      const bh = v128.load64_splat(b + part);
      const bl = v128.load64_splat(b + 2 * part);
      const product = f64x2.mul(x, v128.load64_splat(b));
      const error = f64x2.add(
        f64x2.add(f64x2.add(f64x2.sub(f64x2.mul(xh, bh), product), f64x2.mul(xh, bl)), f64x2.mul(xl, bh)),
        f64x2.mul(xl, bl),
      );
      const s = f64x2.add(sum, product);
      const bb = f64x2.sub(s, sum);
      const lost = f64x2.add(f64x2.sub(sum, f64x2.sub(s, bb)), f64x2.sub(product, bb));
      low = f64x2.add(low, f64x2.add(lost, error));
      sum = s;
      b += 8;
    }
    // The halves of factors beyond 2^996 overflow; then the sum alone is the logit.
    low = v128.and(low, f64x2.eq(f64x2.sub(low, low), f64x2.splat(0.0)));
    // A sum of finite features that overflows makes a bad row: -inf would mask the class.
    sum = f64x2.add(sum, f64x2.mul(sum, f64x2.splat(0.0)));
    v128.store64_lane(out + (c << 3), sum, 0);
    v128.store64_lane(out + row + (c << 3), sum, 1);
    v128.store64_lane(out + 2 * row + (c << 3), low, 0);
    v128.store64_lane(out + 3 * row + (c << 3), low, 1);
  }
}

/** Stores the weighted vectors and the features of a row in row `placed` of the tile. Returns false if an input is bad. */
function storeVectors(p: Plan, work: usize, row: usize, placed: i32, weight: f64): bool {
  const classes = <usize>p.classes;
  if (p.needsLog) storeLog(work);
  const tile = p.tile + (<usize>placed * p.tileStride << 3);
  const end = p.vectors + <usize>p.vectorCount * ENTRY_BYTES;
  for (let entry = p.vectors; entry < end; entry += ENTRY_BYTES) {
    const out = (load<i32>(entry, 24) != 0 ? p.stream : tile) + (<usize>load<i32>(entry, 4) << 3);
    const count = <usize>load<i32>(entry, 8);
    const code = entryCode(entry);
    if (code == ONE) store<f64>(out, 1.0);
    else if (code == SOFTMAX) storeSoftmax(work, classes, out, false);
    else if (code == THIRD) storeThird(work, classes, out);
    else {
      const input = entryInput(entry, row);
      if (code >= SCORE_OUTER) {
        const label = load<f64>(input);
        if (!(label >= 0.0 && label < <f64>classes && Math.floor(label) == label)) return false;
        const y = <usize>label;
        const correct = <i32>label == load<i32>(work + ARGMAX) ? 1.0 : 0.0;
        if (code == CORRECT) store<f64>(out, correct);
        else if (code == SCORE_OUTER) storeScoreOuter(work, classes, y, out);
        else if (code == BRIER) store<f64>(out, brier(work, classes, y));
        else if (code == RELIABILITY) storeBin(work, correct, entryParam(entry), out, count);
        else if (!storeCalibration(p, work, row, y, out)) return false;
      } else if (!storePortableResult(code, work, classes, 0, classes, input, entryParam(entry), out, false)) return false;
    }
    if (weight == 1.0) continue;
    const two = f64x2.splat(weight);
    const even = count & ~1;
    for (let k: usize = 0; k < even; k += 2) v128.store(out + (k << 3), f64x2.mul(v128.load(out + (k << 3)), two));
    if (even != count) store<f64>(out + (even << 3), load<f64>(out + (even << 3)) * weight);
  }
  if (p.featureStride != 0) {
    memory.copy(p.tileX + (<usize>placed * p.featureStride << 3), p.x + (row * p.features << 3), <usize>p.features << 3);
  }
  return true;
}

/**
 * Stores ∂³ logsumexp = ∇J for j <= l <= c in lexicographic order: p_j q_j (q_j - p_j) for j = l = c, -p_j p_l (q_j - p_j) for
 * j twice and l once, 2 p_j p_l p_c for three different classes; q = 1 - p, for the predicted class from the tail.
 */
function storeThird(work: usize, classes: usize, out: usize): void {
  const a = winnerOf(work);
  const p = work + HEADER;
  for (let j: usize = 0; j < classes; j++) {
    const pj = load<f64>(p + (j << 3));
    const qj = j == a ? load<f64>(work + WINNER) : 1.0 - pj;
    const fj = qj - pj;
    store<f64>(out, pj * qj * fj);
    out += 8;
    for (let l = j + 1; l < classes; l++) {
      store<f64>(out, 0.0 - pj * load<f64>(p + (l << 3)) * fj);
      out += 8;
    }
    for (let l = j + 1; l < classes; l++) {
      const pl = load<f64>(p + (l << 3));
      const product = pj * pl;
      const ql = l == a ? load<f64>(work + WINNER) : 1.0 - pl;
      store<f64>(out, 0.0 - product * (ql - pl));
      out += 8;
      const twice = 2.0 * product;
      for (let c = l + 1; c < classes; c++) {
        store<f64>(out, twice * load<f64>(p + (c << 3)));
        out += 8;
      }
    }
  }
}

/** Stores the upper triangle of s sᵀ with s = p - e_y. */
function storeScoreOuter(work: usize, classes: usize, label: usize, out: usize): void {
  const s = vectorAt(work, classes, 5);
  for (let k: usize = 0; k < classes; k++) store<f64>(s + (k << 3), pAt(work, k));
  store<f64>(s + (label << 3), label == winnerOf(work) ? -load<f64>(work + WINNER) : pAt(work, label) - 1.0);
  for (let j: usize = 0; j < classes; j++) {
    const sj = load<f64>(s + (j << 3));
    for (let l = j; l < classes; l++) {
      store<f64>(out, sj * load<f64>(s + (l << 3)));
      out += 8;
    }
  }
}

/** Returns Σ (p_k - [k = y])². */
function brier(work: usize, classes: usize, label: usize): f64 {
  let sum = 0.0;
  for (let k: usize = 0; k < classes; k++) {
    let s = pAt(work, k);
    if (k == label) s = label == winnerOf(work) ? load<f64>(work + WINNER) : 1.0 - s;
    sum += s * s;
  }
  return sum;
}

/** Stores 1, the confidence c and whether the row is correct in the bin (b/n, (b + 1)/n] of c, and zeros elsewhere. */
function storeBin(work: usize, correct: f64, bins: i32, out: usize, count: usize): void {
  memory.fill(out, 0, count << 3);
  const confidence = pAt(work, winnerOf(work));
  const bin = min(bins - 1, max(0, <i32>Math.ceil(confidence * <f64>bins) - 1));
  out += <usize>bin * 24;
  store<f64>(out, 1.0);
  store<f64>(out, confidence, 8);
  store<f64>(out, correct, 16);
}

@inline
function logitAt(p: Plan, row: usize, k: usize): f64 {
  const at = row * p.classes + k;
  return p.float32 ? <f64>load<f32>(p.logits + (at << 2)) : load<f64>(p.logits + (at << 3));
}

/**
 * Stores -log p_y; Σ p_k (o_k - o_y) and Σ p_k (o_k - mean o)², its first two derivatives with respect to 1/T; the mean of
 * o_k - o_y over the classes that are not masked; and whether another class has a larger logit. Returns false if the label is a
 * masked class.
 */
function storeCalibration(p: Plan, work: usize, row: usize, label: usize, out: usize): bool {
  const classes = <usize>p.classes;
  const own = logitAt(p, row, label);
  if (own == -Infinity) return false;
  let slope = 0.0;
  let all = 0.0;
  let live = 0.0;
  let larger = 0.0;
  for (let k: usize = 0; k < classes; k++) {
    const o = logitAt(p, row, k);
    if (o == -Infinity) continue;
    if (o > own) larger = 1.0;
    slope += pAt(work, k) * (o - own);
    all += o - own;
    live += 1.0;
  }
  let variance = 0.0;
  for (let k: usize = 0; k < classes; k++) {
    const o = logitAt(p, row, k);
    if (o == -Infinity) continue;
    const d = o - own - slope;
    variance += pAt(work, k) * (d * d);
  }
  store<f64>(out, -logSoftmaxAt(work, classes, label));
  store<f64>(out, slope, 8);
  store<f64>(out, variance, 16);
  store<f64>(out, all / live, 24);
  store<f64>(out, larger, 32);
  return true;
}

/** Adds the streamed vectors of row `placed` of 64 to the sum of its run; adds the run to the total at its end. */
function addToStream(p: Plan, placed: i32): void {
  const bytes = <usize>p.streamed << 3;
  if (bytes == 0) return;
  const row = p.stream;
  const run = row + bytes;
  if ((placed & (RUN - 1)) == 0) memory.copy(run, row, bytes);
  else addVector(run, row, bytes);
  if ((placed & (RUN - 1)) == RUN - 1) endRun(p, placed);
}

function endRun(p: Plan, placed: i32): void {
  const bytes = <usize>p.streamed << 3;
  const run = p.stream + bytes;
  if (placed < RUN) memory.copy(run + bytes, run, bytes);
  else addVector(run + bytes, run, bytes);
}

/** Adds one vector to another; both are padded to an even number of values. */
@inline
function addVector(to: usize, from: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 16) v128.store(to + at, f64x2.add(v128.load(to + at), v128.load(from + at)));
}

/** Adds the sums of `rows` placed rows to the accumulators of a group. Returns false if one is not finite. */
function flush(p: Plan, base: usize, rows: i32): bool {
  let finite = true;
  if (rows % RUN != 0 && p.streamed != 0) endRun(p, rows - 1);
  const total = p.stream + (<usize>p.streamed << 4);
  const outerEnd = p.moments + (<usize>p.momentCount << 4);
  for (let moment = p.moments; moment < outerEnd; moment += 16) {
    const a = <usize>load<i32>(moment);
    const values = load<i32>(moment, 4);
    const kind = load<i32>(moment, 8);
    let sum = base + 8 + <usize>load<i32>(moment, 12) * ACCUMULATOR_BYTES;
    if (kind == BY_ONE) {
      finite = accumulate(sum, total + (a << 3), 1, 0, values, 0) && finite;
      continue;
    }
    const tile = p.tile + (a << 3);
    if (kind != BY_OUTER) {
      if (kind == BY_SQUARE) storeSquares(p, rows);
      multiply(p, tile, values, kind == BY_X ? p.tileX : p.factors, kind == BY_X ? p.featureStride : p.factorStride, p.features, rows);
      finite = accumulate(sum, p.products, values, p.productStride, p.features, p.features) && finite;
      continue;
    }
    const all = p.features * (p.features + 1) >> 1;
    let i = 0;
    while (i < p.features) {
      // Rows i to end - 1 of the triangle x xᵀ, as many as fit.
      let end = i;
      let count = 0;
      do count += p.features - end++;
      while (end < p.features && count + p.features - end <= p.factorStride);
      storeProducts(p, rows, i, end);
      multiply(p, tile, values, p.factors, p.factorStride, count, rows);
      finite = accumulate(sum, p.products, values, p.productStride, count, all) && finite;
      sum += <usize>count * ACCUMULATOR_BYTES;
      i = end;
    }
  }
  return finite;
}

/** Stores the squares of x of all rows of the tile. */
function storeSquares(p: Plan, rows: i32): void {
  for (let r: usize = 0; r < <usize>rows; r++) {
    const x = p.tileX + (r * p.featureStride << 3);
    const out = p.factors + (r * p.factorStride << 3);
    for (let k: usize = 0; k < <usize>p.features; k++) {
      const value = load<f64>(x + (k << 3));
      store<f64>(out + (k << 3), value * value);
    }
  }
}

/** Stores x_i·x_j for first <= i < end and j >= i of all rows of the tile. */
function storeProducts(p: Plan, rows: i32, first: i32, end: i32): void {
  const features = <usize>p.features;
  for (let r: usize = 0; r < <usize>rows; r++) {
    const x = p.tileX + (r * p.featureStride << 3);
    let out = p.factors + (r * p.factorStride << 3);
    for (let i = <usize>first; i < <usize>end; i++) {
      const two = v128.load64_splat(x + (i << 3));
      // The row of features is padded to an even number; what is stored beyond its end is overwritten, or padding.
      for (let j = i; j < features; j += 2) v128.store(out + (j - i << 3), f64x2.mul(two, v128.load(x + (j << 3))));
      out += features - i << 3;
    }
  }
}

/**
 * Stores products[v, k] = Σ a[r, v]·b[r, k] in runs of 8 rows, for 4 values of a and 4 or 2 of b at a time. The rows of both
 * are padded; the padding of the products means nothing.
 */
function multiply(p: Plan, a: usize, values: i32, b: usize, bStride: i32, count: i32, rows: i32): void {
  const aBytes = <usize>p.tileStride << 3;
  const bBytes = <usize>bStride << 3;
  const outBytes = <usize>p.productStride << 3;
  for (let v = 0; v < values; v += 4) {
    const at = a + (<usize>v << 3);
    const out = p.products + <usize>v * outBytes;
    let k = 0;
    for (; k + 2 < count; k += 4) multiplyTile(at, aBytes, b + (<usize>k << 3), bBytes, out + (<usize>k << 3), outBytes, rows, true);
    if (k < count) multiplyTile(at, aBytes, b + (<usize>k << 3), bBytes, out + (<usize>k << 3), outBytes, rows, false);
  }
}

/** Stores 4 x 4 products, or 4 x 2; the sum of a run is in registers, and that of all runs in the products. */
@inline
function multiplyTile(at: usize, aBytes: usize, bt: usize, bBytes: usize, out: usize, outBytes: usize, rows: i32, isWide: bool): void {
  for (let r = 0; r < rows; r += RUN) {
    let b0 = v128.load(bt), b1 = isWide ? v128.load(bt, 16) : b0;
    let one = v128.load64_splat(at);
    let s00 = f64x2.mul(one, b0), s01 = isWide ? f64x2.mul(one, b1) : b0;
    one = v128.load64_splat(at, 8);
    let s10 = f64x2.mul(one, b0), s11 = isWide ? f64x2.mul(one, b1) : b0;
    one = v128.load64_splat(at, 16);
    let s20 = f64x2.mul(one, b0), s21 = isWide ? f64x2.mul(one, b1) : b0;
    one = v128.load64_splat(at, 24);
    let s30 = f64x2.mul(one, b0), s31 = isWide ? f64x2.mul(one, b1) : b0;
    at += aBytes;
    bt += bBytes;
    for (let left = min(rows - r, RUN) - 1; left > 0; left--) {
      b0 = v128.load(bt);
      if (isWide) b1 = v128.load(bt, 16);
      one = v128.load64_splat(at);
      s00 = f64x2.add(s00, f64x2.mul(one, b0));
      if (isWide) s01 = f64x2.add(s01, f64x2.mul(one, b1));
      one = v128.load64_splat(at, 8);
      s10 = f64x2.add(s10, f64x2.mul(one, b0));
      if (isWide) s11 = f64x2.add(s11, f64x2.mul(one, b1));
      one = v128.load64_splat(at, 16);
      s20 = f64x2.add(s20, f64x2.mul(one, b0));
      if (isWide) s21 = f64x2.add(s21, f64x2.mul(one, b1));
      one = v128.load64_splat(at, 24);
      s30 = f64x2.add(s30, f64x2.mul(one, b0));
      if (isWide) s31 = f64x2.add(s31, f64x2.mul(one, b1));
      at += aBytes;
      bt += bBytes;
    }
    putRun(out, s00, s01, r == 0, isWide);
    putRun(out + outBytes, s10, s11, r == 0, isWide);
    putRun(out + 2 * outBytes, s20, s21, r == 0, isWide);
    putRun(out + 3 * outBytes, s30, s31, r == 0, isWide);
  }
}

/** Adds the sums of a run to those of the runs before it. */
@inline
function putRun(out: usize, low: v128, high: v128, isFirst: bool, isWide: bool): void {
  v128.store(out, isFirst ? low : f64x2.add(v128.load(out), low));
  if (isWide) v128.store(out, isFirst ? high : f64x2.add(v128.load(out, 16), high), 16);
}

/**
 * Adds a matrix [rows, count], whose rows are `stride` values apart, to accumulators whose rows are `sumStride` apart. Returns
 * false if a value is not finite.
 */
function accumulate(sum: usize, from: usize, rows: i32, stride: i32, count: i32, sumStride: i32): bool {
  let finite = true;
  for (let v = 0; v < rows; v++) {
    let at = sum + <usize>(v * sumStride) * ACCUMULATOR_BYTES;
    const row = from + (<usize>v * stride << 3);
    for (let k = 0; k < count; k++) {
      finite = addTerm(at, load<f64>(row + (<usize>k << 3))) && finite;
      at += ACCUMULATOR_BYTES;
    }
  }
  return finite;
}

/** Adds the group at `from` to the group at `to`: its number of rows and `sums` accumulators. */
export function mergeGroup(to: usize, from: usize, sums: i32): void {
  store<i64>(to, load<i64>(to) + load<i64>(from));
  for (let n: usize = 0; n < <usize>sums; n++) {
    mergeAccumulator(to + 8 + n * ACCUMULATOR_BYTES, from + 8 + n * ACCUMULATOR_BYTES);
  }
}

/** Stores the correctly rounded sums of a group to `out`, which has room for 8 more values. */
export function roundGroup(group: usize, sums: i32, out: usize): void {
  for (let n: usize = 0; n < <usize>sums; n++) {
    const sum = roundedSum(group + 8 + n * ACCUMULATOR_BYTES, out + (<usize>sums << 3));
    store<f64>(out + (n << 3), sum);
  }
}
