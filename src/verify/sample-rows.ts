import { draws } from "./draws.js";

/**
 * `count` of the rows 0 to rows - 1, ascending, none twice: the first, the last and a random choice of the others
 * (Floyd's, of equal chances), the same for the same seed. All rows where there are no more than `count`.
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
