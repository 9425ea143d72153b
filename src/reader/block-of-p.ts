/** p of some classes, and what the winner's diagonal is made of. */
export interface PartOfP {
  classes: readonly number[];
  /** `[classes]`; null: not known. */
  p: readonly number[] | null;
  winner: number;
  /** 1 - the largest p, without cancellation. */
  uncertainty: number;
}

/** The block of these classes, `[k, k]`: rows and columns of (diag(p) - p pᵀ)/T; null where p is not known. */
export function blockOfP(
  { p, classes, winner, uncertainty }: PartOfP,
  temperature: number,
): Float64Array | null {
  if (!p) return null;
  const block = new Float64Array(p.length ** 2);
  p.forEach((own, a) => {
    p.forEach((other, b) => {
      const rest = classes[a] === winner ? uncertainty : 1 - own;
      block[a * p.length + b] =
        (a === b ? own * rest : 0 - own * other) / temperature;
    });
  });
  return block;
}
