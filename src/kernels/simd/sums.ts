// Weighted sums over rows: for each moment Σ w·a·b, where a is a vector of a row's softmax (p, J, ∇J, …) and b is 1, the
// features x, their squares, or the upper triangle of x xᵀ. Layouts are in src/kernels/sums-layout.ts.
//
// Only three steps add anything: up to 64 rows form runs of 8, whose terms are added in order; the sums of the runs are added
// in order; the result goes to an exact accumulator. No FMA. So the result does not depend on how rows are divided.
import { secondArea } from "../portable/work.js";
import { accumulatorAt, addValues, mergeAccumulators, roundedSum } from "./accumulator";
import { storePairs } from "./linear";
import { prepare as prepareWork, setTemperature, softmaxPair } from "./softmax";
import { addProducts, multiply, packTriangle, storeProducts, storeSquares } from "./sum-products";
import { storeVectors } from "./sum-vectors";
import {
  BLOCK_SHIFT, BY_ONE, BY_OUTER, BY_P, BY_SQUARE, BY_X, GROUP_HEADER, MOMENT_BYTES, Plan, ROWS, RUN,
} from "./sums-plan";

export { storeLinear } from "./linear";

export function prepare(plan: usize, temperature: f64): void {
  const p = changetype<Plan>(plan);
  prepareWork(p.work);
  setTemperature(p.work, p.classes, temperature);
}

/**
 * Adds `count` rows, all to group 0, or (`groups` != 0) in the order of their numbers (i32) at `list`, which are sorted by
 * group, to their groups (i32) at `groups`. Sums of terms end with a block of the input. Appends the numbers of bad rows to
 * badRows. Returns the first row of the first block of which a sum of terms is not finite; -1: none.
 */
export function addRows(plan: usize, list: usize, groups: usize, count: i32): i32 {
  const p = changetype<Plan>(plan);
  const other = secondArea(p.work, p.classes);
  let base = p.accumulators;
  let block = 0;
  let placed = 0;
  let failed = i32.MAX_VALUE;
  for (let n = 0; n < count; n += 2) {
    const at = <usize>n << 2;
    const isPair = n + 1 < count;
    const first = groups == 0 ? <usize>n : <usize>load<i32>(list + at);
    const second = !isPair ? first : groups == 0 ? <usize>n + 1 : <usize>load<i32>(list + at, 4);
    const softmax = softmaxRows(p, first, second);
    const ends = isPair ? 2 : 1;
    for (let k = 0; k < ends; k++) {
      const row = k == 0 ? first : second;
      const work = k == 0 ? p.work : other;
      const group = groups == 0 ? base : p.accumulators + <usize>load<i32>(groups + at + (<usize>k << 2)) * p.groupBytes;
      const blockOfRow = <i32>row >> BLOCK_SHIFT;
      if (group != base || blockOfRow != block) {
        if (placed > 0 && !flush(p, base, placed)) failed = min(failed, block);
        base = group;
        block = blockOfRow;
        placed = 0;
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
      if ((placed & (RUN - 1)) == RUN - 1) endRun(p, placed);
      if (++placed < ROWS) continue;
      if (!flush(p, base, placed)) failed = min(failed, block);
      placed = 0;
    }
  }
  if (placed > 0 && !flush(p, base, placed)) failed = min(failed, block);
  return failed == i32.MAX_VALUE ? -1 : failed << BLOCK_SHIFT;
}

/** Computes the softmax of two rows; returns which are good, as softmaxPair does. */
function softmaxRows(p: Plan, first: usize, second: usize): i32 {
  const classes = <usize>p.classes;
  if (p.coefficients == 0) {
    const shift: usize = p.float32 ? 2 : 3;
    const good = softmaxPair(
      p.logits + (first * classes << shift), p.logits + (second * classes << shift), p.float32 != 0, classes, p.work, p.needsPairs != 0, p.needsExps != 0,
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
  return good & softmaxPair(logits, logits + row, false, classes, p.work, p.needsPairs != 0, p.needsExps != 0, logits + 2 * row, logits + 3 * row);
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

/** Adds the streamed vectors of the run that ends with row `placed` of 64 to the total. */
function endRun(p: Plan, placed: i32): void {
  const bytes = <usize>p.streamed << 3;
  const total = p.stream + <usize>RUN * bytes;
  const rows = (placed & (RUN - 1)) + 1;
  for (let at: usize = 0; at < bytes; at += 16) {
    let row = p.stream + at;
    let sum = v128.load(row);
    for (let r = 1; r < rows; r++) {
      row += bytes;
      sum = f64x2.add(sum, v128.load(row));
    }
    v128.store(total + at, placed < RUN ? sum : f64x2.add(v128.load(total + at), sum));
  }
}

/** Adds the sums of `rows` placed rows to the accumulators of a group. Returns false if one is not finite. */
function flush(p: Plan, base: usize, rows: i32): bool {
  let finite = true;
  if (rows % RUN != 0) endRun(p, rows - 1);
  const total = p.stream + (<usize>p.streamed * RUN << 3);
  const end = p.moments + <usize>p.momentCount * MOMENT_BYTES;
  for (let moment = p.moments; moment < end; moment += MOMENT_BYTES) {
    const a = <usize>load<i32>(moment);
    const values = load<i32>(moment, 4);
    const kind = load<i32>(moment, 8);
    let sum = load<i32>(moment, 12);
    if (kind == BY_ONE) {
      finite = addValues(base + GROUP_HEADER, <usize>sum, total + (a << 3), <usize>values) && finite;
      continue;
    }
    const tile = p.tile + (a << 3);
    if (kind == BY_P) {
      multiply(p, tile, values, p.tileP, p.tilePStride, values, rows, true);
      packTriangle(p, values, total + (<usize>load<i32>(moment, 16) << 3));
      finite = addValues(base + GROUP_HEADER, <usize>sum, p.products, <usize>(values * (values + 1) >> 1)) && finite;
      continue;
    }
    if (kind != BY_OUTER) {
      if (kind == BY_SQUARE) storeSquares(p, rows);
      multiply(p, tile, values, kind == BY_X ? p.tileX : p.factors, kind == BY_X ? p.featureStride : p.factorStride, p.features, rows);
      finite = addProducts(p, base, sum, values, p.features, p.features) && finite;
      continue;
    }
    const all = p.features * (p.features + 1) >> 1;
    let i = 0;
    while (i < p.features) {
      // Rows i to next - 1 of the triangle x xᵀ, as many as fit.
      let next = i;
      let count = 0;
      do count += p.features - next++;
      while (next < p.features && count + p.features - next <= p.factorStride);
      storeProducts(p, rows, i, next);
      multiply(p, tile, values, p.factors, p.factorStride, count, rows);
      finite = addProducts(p, base, sum, values, count, all) && finite;
      sum += count;
      i = next;
    }
  }
  return finite;
}

/** Adds the group at `from` to the group at `to`: its number of rows and `sums` accumulators. */
export function mergeGroup(to: usize, from: usize, sums: i32): void {
  const rows = load<i64>(to);
  store<i64>(to, rows + load<i64>(from));
  if (rows == 0) memory.copy(to + GROUP_HEADER, from + GROUP_HEADER, accumulatorAt(0, <usize>sums + 1 & ~1));
  else mergeAccumulators(to + GROUP_HEADER, from + GROUP_HEADER, <usize>sums);
}

/** Stores the correctly rounded sums of a group to `out`, which has room for 8 more values. */
export function roundGroup(group: usize, sums: i32, out: usize): void {
  for (let n: usize = 0; n < <usize>sums; n++) {
    const sum = roundedSum(accumulatorAt(group + GROUP_HEADER, n), out + (<usize>sums << 3));
    store<f64>(out + (n << 3), sum);
  }
}
