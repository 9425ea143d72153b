/**
 * Returns `count` of the rows 0 to rows - 1 in ascending order: the first, the last and a random sample of the others
 * (Floyd's algorithm), which depends only on the seed. Returns all rows if there are no more than `count`.
 */
export function sampleRows(
  rows: number,
  count: number,
  seed: number,
): Float64Array {
  if (count >= rows) return Float64Array.from({ length: rows }, (_, r) => r);
  const draw = draws(seed);
  const chosen = new Set([0, rows - 1]);
  const inner = rows - 2;
  for (let last = inner - Math.max(0, count - 2); last < inner; last++) {
    const row = 1 + Math.floor(draw() * (last + 1));
    chosen.add(chosen.has(row) ? last + 1 : row);
  }
  return Float64Array.from(chosen).sort();
}

/** Returns a generator of numbers in [0, 1) with 53 bits, each from two words of mulberry32. */
function draws(seed: number): () => number {
  let state = seed >>> 0;
  const word = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53;
}
