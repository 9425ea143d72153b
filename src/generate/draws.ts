import { softmax } from "../in-memory/results.js";
import { normalQuantile } from "./normal-quantile.js";
import type { LogitsKind } from "./options.js";

/** Independent streams of random numbers for each row. */
const STREAM = { logits: 0, peak: 1, label: 2 } as const;

/** Maximum margin of a peaked row; above 37, the largest p is 1 in float64. */
const MARGIN = 40;

const pair = new Float64Array(2);
const words = new Uint32Array(4);

/** Fills `out` with the logits of one row. */
export function storeLogits(
  out: Float64Array,
  kind: LogitsKind,
  scale: number,
  seed: number,
  row: number,
): void {
  storeUniforms(out, seed, row, STREAM.logits);
  const factor = kind === "normal" ? scale : 1;
  for (let k = 0; k < out.length; k++) {
    const u = out[k] as number;
    out[k] =
      kind === "notebook"
        ? (Math.floor(u * 21) - 10) / 2
        : factor * normalQuantile(u);
  }
  if (kind === "peaked") raiseOne(out, seed, row);
}

function raiseOne(out: Float64Array, seed: number, row: number): void {
  storeUniforms(pair, seed, row, STREAM.peak);
  const raised = Math.floor((pair[0] as number) * out.length);
  let max = -Infinity;
  for (let k = 0; k < out.length; k++)
    if (k !== raised) max = Math.max(max, out[k] as number);
  out[raised] = (out.length > 1 ? max : 0) + MARGIN * (pair[1] as number);
}

/**
 * Draws a class for each row from the softmax of its stored logits, by inverting the cumulative distribution.
 *
 * @param labels `[rows]`, overwritten
 * @param logits `[rows, classes]`, finite
 * @param firstRow number of the first row in the file
 */
export function storeLabels(
  labels: Int32Array,
  logits: ArrayLike<number>,
  classes: number,
  seed: number,
  firstRow: number,
): void {
  const rows = labels.length;
  const p = softmax(Float64Array.from(logits), { rows, classes });
  for (let r = 0; r < rows; r++) {
    storeUniforms(pair, seed, firstRow + r, STREAM.label);
    const start = r * classes;
    labels[r] = classAt(p.subarray(start, start + classes), pair[0] as number);
  }
}

/** Returns the first class whose cumulative p exceeds u; if the rounded sum of all p does not, the last with p > 0. */
function classAt(p: Float64Array, u: number): number {
  let sum = 0;
  let last = 0;
  for (let k = 0; k < p.length; k++) {
    const x = p[k] as number;
    if (x > 0) last = k;
    sum += x;
    if (u < sum) return k;
  }
  return last;
}

/**
 * Fills `out` with draws from the odd multiples of 2^-53 in (0, 1). They are never 0, 0.5 or 1, and 1 - u is exact.
 * Draws 2j and 2j + 1 are the words of Philox at counter (j, row mod 2^32, row div 2^32, stream) with the seed as key.
 */
export function storeUniforms(
  out: Float64Array,
  seed: number,
  row: number,
  stream: number,
): void {
  const seedHigh = Math.floor(seed / 2 ** 32);
  const rowHigh = Math.floor(row / 2 ** 32);
  for (let k = 0; k < out.length; k += 2) {
    words[0] = k / 2;
    words[1] = row;
    words[2] = rowHigh;
    words[3] = stream;
    philox(words, seed, seedHigh);
    out[k] = uniform(words[0] as number, words[1] as number);
    if (k + 1 < out.length)
      out[k + 1] = uniform(words[2] as number, words[3] as number);
  }
}

/** Returns (n + 1/2)·2^-52 for the upper 52 bits n of two words. */
function uniform(high: number, low: number): number {
  const n = (high >>> 12) * 2 ** 32 + low;
  return (n + 0.5) * 2 ** -52;
}

// Philox4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11: four 32-bit random
// words as a function of a 128-bit counter and a 64-bit key. Without state, the values of a row depend only on the seed
// and the row number. Integer arithmetic gives the same bits on every machine.

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;

/** Replaces the four words of `counter` with random ones. */
export function philox(counter: Uint32Array, key0: number, key1: number): void {
  let a = counter[0] as number;
  let b = counter[1] as number;
  let c = counter[2] as number;
  let d = counter[3] as number;
  let k0 = key0 | 0;
  let k1 = key1 | 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = highProduct(MULTIPLIERS[0], a);
    const high1 = highProduct(MULTIPLIERS[1], c);
    const low0 = Math.imul(MULTIPLIERS[0], a);
    const low1 = Math.imul(MULTIPLIERS[1], c);
    a = (high1 ^ b ^ k0) >>> 0;
    b = low1 >>> 0;
    c = (high0 ^ d ^ k1) >>> 0;
    d = low0 >>> 0;
    k0 = (k0 + WEYL[0]) | 0;
    k1 = (k1 + WEYL[1]) | 0;
  }
  counter[0] = a;
  counter[1] = b;
  counter[2] = c;
  counter[3] = d;
}

/** Returns the upper 32 bits of the product of two words. Every step is exact in float64. */
function highProduct(x: number, y: number): number {
  const low = x * (y & 0xffff);
  const high = x * (y >>> 16) + Math.floor(low / 65536);
  return Math.floor(high / 65536);
}
