import type { RowSizes } from "../reference/error-scales.js";

/** What is left out of a block: the largest |entry|, its place i·Q + j (-1: there is none), and the sum of all. */
export interface DroppedEntries {
  max: number;
  index: number;
  sum: number;
}

/**
 * All of the block's entries but those at `kept`, which ascends. Takes time for each of the Q² entries; sizes are good to
 * 2 ε of themselves, their sum is compensated.
 *
 * @param log of log-softmax's block
 */
export function droppedEntries(
  { p, q }: RowSizes,
  temperature: number,
  kept: ArrayLike<number>,
  log: boolean,
): DroppedEntries {
  const classes = p.length;
  // What p_i is multiplied by in its row.
  const others = log ? new Float64Array(classes).fill(1) : Float64Array.from(p);
  let next = 0;
  let following = kept[0] ?? -1;
  let [max, index, sum, lost] = [0, -1, 0, 0];
  for (let i = 0; i < classes; i++) {
    const own = p[i] as number;
    if (!log) others[i] = q[i] as number;
    for (let j = 0; j < classes; j++) {
      const place = i * classes + j;
      if (place === following) {
        next++;
        following = next < kept.length ? (kept[next] as number) : -1;
        continue;
      }
      const size =
        log && i === j ? (q[i] as number) : own * (others[j] as number);
      const all = sum + size;
      lost += sum >= size ? sum - all + size : size - all + sum;
      sum = all;
      if (size > max) {
        max = size;
        index = place;
      }
    }
    if (!log) others[i] = own;
  }
  return {
    max: max / temperature,
    index,
    sum: (sum + lost) / temperature,
  };
}
