/** Returns how many of the first `count` indices fulfil a condition that holds for all lower ones, too. */
export function countWhile(
  count: number,
  holds: (k: number) => boolean,
): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
