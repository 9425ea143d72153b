// Vectors of a row, which are summed.
import {
  BRIER, CALIBRATION, CORRECT, DIAGONAL, NEGATED, ONE, PACKED, RELIABILITY, SCORE_OUTER, SOFTMAX, THIRD,
} from "../portable/codes.js";
import { storeLog } from "../portable/log.js";
import { ENTRY_BYTES, entryCode, entryInput, entryParam } from "../portable/program.js";
import { storePortableResult } from "../portable/results.js";
import { logSoftmaxAt } from "../portable/vectors.js";
import { ARGMAX, HEADER, pAt, TEMPERATURE, vectorAt, WINNER, winnerOf } from "../portable/work.js";
import { Plan, RUN } from "./sums-plan";

/** Stores the weighted vectors and the features of a row in row `placed` of the tile. Returns false if an input is bad. */
export function storeVectors(p: Plan, work: usize, row: usize, placed: i32, weight: f64): bool {
  const classes = <usize>p.classes;
  if (p.needsLog) storeLog(work);
  const tile = p.tile + (<usize>placed * p.tileStride << 3);
  const stream = p.stream + (<usize>(placed & (RUN - 1)) * p.streamed << 3);
  const end = p.vectors + <usize>p.vectorCount * ENTRY_BYTES;
  for (let entry = p.vectors; entry < end; entry += ENTRY_BYTES) {
    const out = (load<i32>(entry, 24) != 0 ? stream : tile) + (<usize>load<i32>(entry, 4) << 3);
    const count = <usize>load<i32>(entry, 8);
    const code = entryCode(entry);
    if (code == ONE) store<f64>(out, 1.0);
    else if (code == SOFTMAX) storeP(work, classes, out);
    else if (code == NEGATED) storeNegated(work, classes, out);
    else if (code == PACKED) storeJacobian(work, classes, out);
    else if (code == DIAGONAL) storeDiagonal(work, classes, out);
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
  if (p.tileP != 0) storeP(work, classes, p.tileP + (<usize>placed * p.tilePStride << 3));
  if (p.featureStride != 0) {
    const x = p.x + (row * p.features << 3);
    const out = p.tileX + (<usize>placed * p.featureStride << 3);
    // Rows of the tile are padded to an even number of values.
    for (let at: usize = 0; at < <usize>p.featureStride << 3; at += 16) v128.store(out + at, v128.load(x + at));
  }
  return true;
}

/** Stores p. Like all vectors, it may be followed by one value more, which the next vector overwrites. */
function storeP(work: usize, classes: usize, out: usize): void {
  for (let at: usize = 0; at < classes << 3; at += 16) v128.store(out + at, v128.load(work + at, HEADER));
}

/** Stores -p/T. */
function storeNegated(work: usize, classes: usize, out: usize): void {
  const temperature = load<f64>(work + TEMPERATURE);
  for (let at: usize = 0; at < classes << 3; at += 16) v128.store(out + at, f64x2.neg(overT(v128.load(work + at, HEADER), temperature)));
}

@inline
function overT(values: v128, temperature: f64): v128 {
  return temperature == 1.0 ? values : f64x2.div(values, f64x2.splat(temperature));
}

/** Stores the diagonal of J. */
function storeDiagonal(work: usize, classes: usize, out: usize): void {
  const temperature = load<f64>(work + TEMPERATURE);
  for (let at: usize = 0; at < classes << 3; at += 16) {
    const p = v128.load(work + at, HEADER);
    v128.store(out + at, f64x2.mul(overT(p, temperature), f64x2.sub(f64x2.splat(1.0), p)));
  }
  const a = winnerOf(work);
  const pa = pAt(work, a);
  store<f64>(out + (a << 3), (temperature == 1.0 ? pa : pa / temperature) * load<f64>(work + WINNER));
}

/**
 * Stores the upper triangle of J, row by row. Its entries are products of the rounded p, which are within 2.8 ε (the pairs of
 * entries.ts would be closer, but the additions hide the difference).
 */
function storeJacobian(work: usize, classes: usize, out: usize): void {
  const a = winnerOf(work);
  const p = work + HEADER;
  const temperature = load<f64>(work + TEMPERATURE);
  for (let j: usize = 0; j < classes; j++) {
    const pj = load<f64>(p + (j << 3));
    const factor = temperature == 1.0 ? pj : pj / temperature;
    store<f64>(out, factor * (j == a ? load<f64>(work + WINNER) : 1.0 - pj));
    out += 8;
    const minus = f64x2.splat(-factor);
    // The last vector may store one value too many; the next row overwrites it.
    for (let l = j + 1; l < classes; l += 2, out += 16) v128.store(out, f64x2.mul(minus, v128.load(p + (l << 3))));
    if ((classes - j & 1) == 0) out -= 8;
  }
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
