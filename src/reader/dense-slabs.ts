import type { ByteSource } from "./byte-source.js";
import { type FloatArray, newFloats } from "./float-array.js";
import type { StoredColumn } from "./stored-column.js";

/** Values of a slab that are held at once. */
const WINDOW = 1 << 17;

/** The blocks of slabs, and what else is in them. */
export interface Slabs {
  values(n: number): FloatArray;
  stray(
    n: number,
  ): { place: [i: number, row: number, j: number]; value: number } | null;
}

/**
 * Reads slabs `[i, row, j]` of the dense tensor: the block at [i, number, j] and what is not 0 elsewhere, a piece at a
 * time however large the slab is.
 *
 * @param start table row of the first slab
 * @param numbers row numbers; those that are no rows have no block
 */
export async function readSlabs(
  options: {
    source: ByteSource;
    stored: StoredColumn;
    rows: number;
    classes: number;
    isNull(n: number): boolean;
  },
  start: number,
  numbers: Float64Array,
): Promise<Slabs> {
  const { source, stored, rows, classes, isNull } = options;
  const size = classes * rows * classes;
  const blocks: FloatArray[] = [];
  const strays: ReturnType<Slabs["stray"]>[] = [];
  for (const [n, number] of numbers.entries()) {
    const block = newFloats("float64", classes * classes);
    let stray: ReturnType<Slabs["stray"]> = null;
    const step = isNull(n) ? size : WINDOW;
    for (let at = isNull(n) ? size : 0; at < size; at += step) {
      const first = (start + n) * size + at;
      const count = Math.min(step, size - at);
      const values = await stored.numbers(source, first, first + count);
      for (let k = 0; k < count; k++) {
        const value = values[k] as number;
        if (value === 0) continue;
        const place = at + k;
        const j = place % classes;
        const row = Math.floor(place / classes) % rows;
        const i = Math.floor(place / (classes * rows));
        if (row === number) block[i * classes + j] = value;
        else stray ??= { place: [i, row, j], value };
      }
    }
    blocks.push(block);
    strays.push(stray);
  }
  return {
    values: (n) => blocks[n] as FloatArray,
    stray: (n) => strays[n] ?? null,
  };
}
