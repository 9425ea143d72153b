/** Steps of the page's scale of shades: `--h0` to `--h8`, from what recedes to what stands out, in light and dark. */
export const SHADES = 9;
/** So many powers of ten at most: what is less is in the lowest shade. */
const DECADES = 4;

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
  const low = Math.max(Math.min(...positive), high / 10 ** DECADES);
  const ratio = (high / low) ** (1 / SHADES);
  const edges =
    ratio > 1.0001
      ? Array.from({ length: SHADES - 1 }, (_, k) => low * ratio ** (k + 1))
      : [];
  return {
    edges,
    shade: (value) =>
      edges.length === 0
        ? Number(value > 0) * Math.floor(SHADES / 2)
        : edges.filter((edge) => value >= edge).length,
  };
}
