/** Entry (i, j) of a stored block, which includes the factor 1/T. */
type Entry = (i: number, j: number) => number;

/** Subnormal numbers have lost digits. */
const SMALLEST_NORMAL = { float64: 2 ** -1022, float32: 2 ** -126 } as const;

/**
 * Recovers p from a block of softmax. Entries off the diagonal are -p_i p_j/T, so the three classes a, b, c with the largest
 * p give p_a = sqrt(|J_ab J_ac / J_bc| · T), and the others are p_k = |J_ak| T / p_a: quotients and products, which do not
 * cancel. If p_a is far above the others, it is the larger root of p (1 - p) = J_aa T.
 *
 * @param p `[Q]`, filled; incomplete if the result is NaN
 * @returns 1 - max p, as the sum over the other classes; NaN if the block does not determine p: two classes have two
 * solutions, and subnormal entries have lost digits
 */
export function pOfBlock(
  entry: Entry,
  p: Float64Array,
  temperature: number,
  dtype: "float32" | "float64",
): number {
  const classes = p.length;
  if (classes === 1) {
    p[0] = 1;
    return 0;
  }
  const size = (i: number, j: number) => Math.abs(entry(i, j));
  const [a, b] = largestPair(size, classes);
  let c = -1;
  for (let k = 0; k < classes; k++)
    if (
      k !== a &&
      k !== b &&
      (c < 0 || size(a, k) + size(b, k) > size(a, c) + size(b, c))
    )
      c = k;
  if (c < 0 || size(a, c) + size(b, c) === 0) return Number.NaN;
  const [predicted, second] = size(a, c) >= size(b, c) ? [a, b] : [b, a];
  const ratio = size(second, c) / size(predicted, c);
  if (ratio < 1 / (4 * classes)) {
    const product = entry(predicted, predicted) * temperature;
    p[predicted] = (1 + Math.sqrt(Math.max(0, 1 - 4 * product))) / 2;
  } else if (size(second, c) < SMALLEST_NORMAL[dtype]) return Number.NaN;
  else
    p[predicted] = Math.sqrt((size(predicted, second) / ratio) * temperature);
  return setOthers(size, p, predicted, temperature);
}

/** Returns the classes of the largest entry off the diagonal. */
function largestPair(size: Entry, classes: number): [a: number, b: number] {
  let [a, b] = [0, 1];
  for (let i = 0; i < classes; i++)
    for (let j = i + 1; j < classes; j++)
      if (size(i, j) > size(a, b)) [a, b] = [i, j];
  return [a, b];
}

/** Sets the other p and returns their sum. */
function setOthers(
  size: Entry,
  p: Float64Array,
  predicted: number,
  temperature: number,
): number {
  const max = p[predicted] as number;
  let uncertainty = 0;
  for (let k = 0; k < p.length; k++) {
    if (k === predicted) continue;
    const other = (size(predicted, k) * temperature) / max;
    p[k] = other;
    uncertainty += other;
  }
  return uncertainty;
}

/** Recovers p from a block of log-softmax, (δ_ij - p_i)/T with input i: p_i is any entry of row i off the diagonal. */
export function pOfLogBlock(
  entry: Entry,
  p: Float64Array,
  temperature: number,
): number {
  const classes = p.length;
  if (classes === 1) {
    p[0] = 1;
    return 0;
  }
  let predicted = 0;
  for (let i = 0; i < classes; i++) {
    p[i] = Math.abs(entry(i, i === 0 ? 1 : 0)) * temperature;
    if ((p[i] as number) > (p[predicted] as number)) predicted = i;
  }
  let uncertainty = 0;
  for (let i = 0; i < classes; i++)
    if (i !== predicted) uncertainty += p[i] as number;
  return uncertainty;
}
