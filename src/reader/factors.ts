/** p, the class of the largest p, and 1 - its p without cancellation, of which a block consists. */
export interface Factors {
  p: ArrayLike<number>;
  winner: number;
  uncertainty: number;
}

/**
 * Returns the entries of a block: J[i,j] = -p_i p_j/T and J[k,k] = p_k (1 - p_k)/T, with the uncertainty for the winner's
 * 1 - p, which would cancel. Of log-softmax: (δ_ij - p_i)/T.
 */
export function entriesOfFactors(
  { p, winner, uncertainty }: Factors,
  temperature: number,
  ofLog = false,
): (i: number, j: number) => number {
  return (i, j) => {
    const own = p[i] as number;
    const rest = i === winner ? uncertainty : 1 - own;
    if (ofLog) return (i === j ? rest : 0 - own) / temperature;
    return (i === j ? own * rest : 0 - own * (p[j] as number)) / temperature;
  };
}

/** Returns the block of some classes from p of these, `[k, k]`; null if p is not known. */
export function blockOfP(
  {
    p,
    classes,
    winner,
    uncertainty,
  }: {
    classes: readonly number[];
    p: readonly number[] | null;
    winner: number;
    uncertainty: number;
  },
  temperature: number,
): Float64Array | null {
  if (!p) return null;
  const factors = { p, winner: classes.indexOf(winner), uncertainty };
  const entry = entriesOfFactors(factors, temperature);
  const k = p.length;
  return Float64Array.from({ length: k * k }, (_, n) =>
    entry(Math.floor(n / k), n % k),
  );
}
