/** The class of the largest, the first of equals. */
export function largestOf(values: ArrayLike<number>): number {
  let at = 0;
  for (let k = 1; k < values.length; k++)
    if ((values[k] as number) > (values[at] as number)) at = k;
  return at;
}

/** 1 - the winner's p, as the sum of what is not its own. */
export function sumOfOthers(p: ArrayLike<number>, winner: number): number {
  let sum = 0;
  for (let k = 0; k < p.length; k++) if (k !== winner) sum += p[k] as number;
  return sum;
}

/** -Σ p log p, in nats; of a sure winner by its uncertainty, since log p is 0 long before it should be. */
export function entropyOf(
  p: ArrayLike<number>,
  winner: number,
  uncertainty: number,
): number {
  let sum = 0;
  for (let k = 0; k < p.length; k++) {
    const own = p[k] as number;
    if (own > 0)
      sum -=
        own *
        (k === winner && uncertainty < 0.5
          ? Math.log1p(-uncertainty)
          : Math.log(own));
  }
  return sum;
}
