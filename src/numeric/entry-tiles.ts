/** The row of a block up to which the entries of its rows, from row i on, fit into `room`. */
export function endOfTile(
  rowCounts: Int32Array,
  i: number,
  room: number,
): number {
  let end = i;
  for (let left = room; end < rowCounts.length; end++) {
    left -= rowCounts[end] as number;
    if (left < 0) break;
  }
  return end;
}
