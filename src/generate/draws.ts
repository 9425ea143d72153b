import { softmax } from "../in-memory/results.js";
import type { Resolved } from "../options/options-table.js";

/** Distribution of the logits. */
export type LogitsKind = Resolved<"generate">["kind"];

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

// Coefficients of Wichura's PPND16, in ascending powers.
const CENTRE_ABOVE = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946,
  45921.95393154987, 67265.7709270087, 33430.57558358813, 2509.0809287301227,
];
const CENTRE_BELOW = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751,
  21213.794301586597, 39307.89580009271, 28729.085735721943, 5226.495278852854,
];
const SIDE_ABOVE = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045,
  1.2704582524523684, 0.2417807251774506, 0.022723844989269184,
  0.0007745450142783414,
];
const SIDE_BELOW = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851,
  0.14810397642748008, 0.015198666563616457, 0.0005475938084995345,
  1.0507500716444169e-9,
];
const FAR_ABOVE = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487,
  0.026532189526576124, 0.0012426609473880784, 2.7115555687434876e-5,
  2.0103343992922881e-7,
];
const FAR_BELOW = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615,
  0.0007868691311456133, 1.8463183175100548e-5, 1.421511758316446e-7,
  2.0442631033899397e-15,
];

/**
 * Returns the standard normal quantile of u, 0 < u < 1, with a relative error of about 1e-15.
 * Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37, 1988.
 *
 * Each normal draw takes one uniform draw. Rational functions, a square root and naturalLog give the same bits on every
 * machine, unlike Math.log and Math.cos in the Box-Muller transform.
 */
export function normalQuantile(u: number): number {
  const q = u - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(CENTRE_ABOVE, r)) / polynomial(CENTRE_BELOW, r);
  }
  const r = Math.sqrt(-naturalLog(q < 0 ? u : 1 - u));
  const size =
    r <= 5
      ? polynomial(SIDE_ABOVE, r - 1.6) / polynomial(SIDE_BELOW, r - 1.6)
      : polynomial(FAR_ABOVE, r - 5) / polynomial(FAR_BELOW, r - 5);
  return q < 0 ? -size : size;
}

function polynomial(coefficients: readonly number[], r: number): number {
  let sum = 0;
  for (let k = coefficients.length - 1; k >= 0; k--)
    sum = sum * r + (coefficients[k] as number);
  return sum;
}

const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/**
 * Returns log x for 2^-60 < x < 1 with an error of at most 2 ulp. Uses only additions, products and quotients, whose
 * bits IEEE 754 fixes; Math.log differs between engines.
 *
 * x = f·2^-n with f in [√½, √2), and log x = 2 atanh(z) - n ln 2 with z = (f - 1)/(f + 1), |z| <= 0.1716. The remainder
 * of the series after z^23/23 is below 2^-62.
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
