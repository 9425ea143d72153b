/** Steps of the page's scale of shades: `--h0` to `--h8`, from what recedes to what stands out, in light and dark. */
export const SHADES = 9;
/** From the least shade to the largest: ten thousand times at most, and twice at the least, lest noise looks like structure. */
const MOST_RATIO = 1e4;
const LEAST_RATIO = 2;

export interface ShadeScale {
  /** Of a value: a step. */
  shade(value: number): number;
  /** Where steps begin, ascending: those of `shade` 1 and on. */
  edges: number[];
}

/** Steps of equal ratio between the least and the largest of some values above 0. */
export function shadeScale(values: readonly number[]): ShadeScale {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return { shade: () => 0, edges: [] };
  const high = Math.max(...positive);
  const span = high / Math.min(...positive);
  const low = high / Math.max(LEAST_RATIO, Math.min(MOST_RATIO, span));
  const ratio = (high / low) ** (1 / SHADES);
  const edges = Array.from(
    { length: SHADES - 1 },
    (_, k) => low * ratio ** (k + 1),
  );
  return {
    edges,
    shade: (value) => edges.filter((edge) => value >= edge).length,
  };
}
