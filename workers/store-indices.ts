import { rowIndices } from "../src/input/row-indices.js";
import type { Kernel } from "../src/numeric/kernel.js";
import type { WorkerSetup } from "../src/pool/protocol.js";
import { withSide } from "./task-failure.js";

/** Stores the indices of `rows` rows from row `start` in the slot at `base`: row numbers, and positions along further axes. */
export function storeIndices(
  { axes, buffer, slot }: WorkerSetup,
  kernel: Kernel,
  start: number,
  rows: number,
  base: number,
): void {
  const address = base + slot.rowNumbers;
  if (axes.inner.length === 0) {
    kernel.storeRowNumbers(start, rows, address);
    return;
  }
  const [numbers = [], ...positions] = withSide("input", () =>
    rowIndices(axes, start, start + rows),
  );
  const row = new BigInt64Array(buffer, address, rows);
  numbers.forEach((number, k) => {
    row[k] = BigInt(number);
  });
  for (const [n, column] of positions.entries())
    new Int32Array(buffer, base + (slot.positions[n] as number), rows).set(
      column,
    );
}
