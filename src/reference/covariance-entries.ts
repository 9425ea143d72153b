/** Σ_ij of the form that the number of values says. */
export function covarianceEntries(
  covariance: ArrayLike<number>,
  classes: number,
): (i: number, j: number) => number {
  const at = (n: number) => covariance[n] as number;
  if (covariance.length === classes * classes)
    return (i, j) => at(i * classes + j);
  if (covariance.length === classes) return (i, j) => (i === j ? at(i) : 0);
  return (i, j) => {
    const low = Math.min(i, j);
    return at(low * classes - (low * (low + 1)) / 2 + Math.max(i, j));
  };
}
