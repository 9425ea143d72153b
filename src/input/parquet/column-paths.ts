import type { ColumnPath } from "../column-spans.js";

/** Groups paths by the child that they lead through at a depth. */
export function pathsByChild(
  paths: readonly ColumnPath[],
  depth: number,
): Map<number, ColumnPath[]> {
  const found = new Map<number, ColumnPath[]>();
  for (const path of paths) {
    const child = path[depth] as number;
    const same = found.get(child);
    if (same) same.push(path);
    else found.set(child, [path]);
  }
  return found;
}
