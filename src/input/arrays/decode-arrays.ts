import { numberWidth } from "../../arrow/field.js";
import { type DecodedNumbers, writeDecoded } from "../decode-sources.js";
import type { InputFile } from "../input-file.js";
import type { OpenOptions } from "../logits-file.js";
import { readInput } from "../read-input.js";
import { type ArrayRows, type Axis, joinAxes } from "./array-axes.js";

// Arrays that are not read in place are copied to a temporary file: rows in C order, their numbers in order, in little-endian.
// The copy is made in tiles, boxes of the array that fit in memory. A tile extends along the fastest axes of the input and
// along the fastest axes of the copy, so that both are accessed in long runs, whatever the shape.

/** Maximum number of values in a tile, and in its extent along the fastest axes of the input. */
const TILE_VALUES = 1 << 20;
const RUN_VALUES = 1 << 10;

/** File with arrays, and the byte offset of the first value of each. */
export interface ArrayBytes extends Pick<InputFile, "path" | "fd" | "present"> {
  starts: readonly number[];
}

/** Axis of the array: its strides in the input and in the copy, and the part of it that a tile has. */
interface TiledAxis extends Axis {
  copyStride: number;
  first: number;
  count: number;
}

/**
 * Copies the rows of arrays to a temporary file.
 * @param areMargins whether to write a zero before each number: the logits (0, z) of margins z
 * @throws InputFormatError, IoError
 */
export function decodeArrays(
  file: ArrayBytes,
  arrays: readonly ArrayRows[],
  areMargins: boolean,
  options: Pick<OpenOptions, "scratch">,
): DecodedNumbers {
  const [{ type, values }] = arrays as [ArrayRows];
  const copies = areMargins ? 2 : 1;
  const width = numberWidth(type);
  return writeDecoded(file.path, options, copies * values, (target) =>
    arrays.map((array, k) => {
      const start = file.starts[k] as number;
      const offset = target.reserve(array.rows * array.values * copies * width);
      for (const tile of tilesOf(array)) {
        const numbers = readTile(file, start, tile, array);
        const ordered = inCopyOrder(tile, numbers, width, copies);
        let done = 0;
        for (const [first, count] of runsOf(tile, "copyStride")) {
          const end = done + count * copies * width;
          const bytes = ordered.subarray(done, end);
          target.write(bytes, offset + first * copies * width);
          done = end;
        }
      }
      return offset;
    }),
  );
}

/** Yields tiles that cover an array, with the axes in the order of the copy, the slowest first. */
function* tilesOf({
  rows,
  values,
  rowAxes,
  valueAxes,
}: ArrayRows): Generator<TiledAxis[]> {
  if (rows * values === 0) return;
  let copyStride = rows * values;
  const axes = joinAxes([...rowAxes, ...valueAxes]).map((axis): TiledAxis => {
    copyStride /= axis.length;
    return { ...axis, copyStride, first: 0, count: 1 };
  });
  const extend = (order: readonly TiledAxis[], most: number) => {
    for (const axis of order.toReversed()) {
      const others = product(axes) / axis.count;
      const fits = Math.min(axis.length, Math.floor(most / others));
      axis.count = Math.max(axis.count, fits);
      if (axis.count < axis.length) return;
    }
  };
  extend(ordered(axes, "stride"), RUN_VALUES);
  extend(axes, TILE_VALUES);
  const steps = axes.map(({ length, count }) => ({
    length: Math.ceil(length / count),
    stride: 0,
  }));
  for (const { index } of positionsOf(steps))
    yield axes.map((axis, k) => {
      const first = (index[k] as number) * axis.count;
      const count = Math.min(axis.count, axis.length - first);
      return { ...axis, first, count };
    });
}

/** The numbers of a tile in the order of the input, in little-endian. */
function readTile(
  file: ArrayBytes,
  start: number,
  tile: readonly TiledAxis[],
  { type, coding }: ArrayRows,
): Uint8Array<ArrayBuffer> {
  const width = coding?.width ?? numberWidth(type);
  const bytes = new Uint8Array(product(tile) * width);
  let done = 0;
  for (const [first, count] of runsOf(tile, "stride")) {
    const end = done + count * width;
    readInput(file, bytes.subarray(done, end), start + first * width);
    done = end;
  }
  return coding ? coding.decode(bytes) : bytes;
}

/** The numbers of a tile in the order of the copy, after `copies` - 1 zeros each. */
function inCopyOrder(
  tile: readonly TiledAxis[],
  numbers: Uint8Array<ArrayBuffer>,
  width: number,
  copies: number,
): Uint8Array {
  let stride = 1;
  const strides = new Map<TiledAxis, number>();
  for (const axis of ordered(tile, "stride").reverse()) {
    strides.set(axis, stride);
    stride *= axis.count;
  }
  const axes = joinAxes(
    tile.map((axis) => ({
      length: axis.count,
      stride: strides.get(axis) as number,
    })),
  );
  if (copies === 1 && axes.length <= 1) return numbers;
  // Bits are copied, since an assignment of floats may change those of a NaN.
  const View = { 1: Uint8Array, 2: Uint16Array }[width] ?? Uint32Array;
  const units = width / View.BYTES_PER_ELEMENT;
  const from = new View(numbers.buffer);
  const to = new View(copies * from.length);
  const inner = axes.pop() ?? { length: 1, stride: 1 };
  let place = (copies - 1) * units;
  for (const { offset } of positionsOf(axes))
    for (let k = 0; k < inner.length; k++, place += copies * units)
      for (let unit = 0; unit < units; unit++)
        to[place + unit] = from[
          (offset + k * inner.stride) * units + unit
        ] as number;
  return new Uint8Array(to.buffer);
}

/** Yields the runs of a tile in the input or in the copy, in values. */
function* runsOf(
  tile: readonly TiledAxis[],
  key: "stride" | "copyStride",
): Generator<[first: number, count: number]> {
  const outer = ordered(tile, key);
  let values = 1;
  // A tile that has all of an axis continues along the next slower one.
  for (let axis = outer.pop(); axis; axis = outer.pop()) {
    values *= axis.count;
    if (axis.count < axis.length) break;
  }
  const start = tile.reduce((sum, axis) => sum + axis.first * axis[key], 0);
  const axes = outer.map((axis) => ({ length: axis.count, stride: axis[key] }));
  for (const { offset } of positionsOf(axes)) yield [start + offset, values];
}

/** Axes by decreasing stride. */
function ordered(
  axes: readonly TiledAxis[],
  key: "stride" | "copyStride",
): TiledAxis[] {
  return axes.toSorted((a, b) => b[key] - a[key]);
}

function product(axes: readonly TiledAxis[]): number {
  return axes.reduce((values, { count }) => values * count, 1);
}

/** Yields every index along axes, the last axis fastest, and its offset; the index is one array that changes. */
function* positionsOf(
  axes: readonly Axis[],
): Generator<{ index: readonly number[]; offset: number }> {
  const index = axes.map(() => 0);
  for (let [offset, k] = [0, 0]; k >= 0; ) {
    yield { index, offset };
    for (k = axes.length - 1; k >= 0; k--) {
      const { length, stride } = axes[k] as Axis;
      offset += stride;
      const next = (index[k] as number) + 1;
      index[k] = next % length;
      if (next < length) break;
      offset -= length * stride;
    }
  }
}
