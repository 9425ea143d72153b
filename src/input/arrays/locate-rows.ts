import { type NumberType, numberWidth } from "../../arrow/field.js";
import { numbersOfBytes } from "../../arrow/stored-numbers.js";
import { TemporaryFiles } from "../../io/anonymous-file.js";
import { checkLimit } from "../../io/limits.js";
import { writeFully } from "../../io/positional.js";
import { oneHotClass } from "../class-decoder.js";
import { type DecodedNumbers, writeDecoded } from "../decode-sources.js";
import type { Opening } from "../logits-file.js";
import {
  inputReader,
  type Readable,
  readInput,
  requireInput,
} from "../read-input.js";
import {
  type ArrayRows,
  type ArrayStorage,
  type Axis,
  joinAxes,
  startsOf,
  storageInPlace,
} from "./array-axes.js";
import {
  bytesOf,
  decodeNumbers,
  storedWidth,
  type UnpackedArrays,
  whereOf,
} from "./stored-array.js";

/** Rows of numbers as workers read them, in place or decoded. */
export interface LocatedRows {
  storage: ArrayStorage;
  type: NumberType;
  /** Numbers per row. */
  values: number;
  /** Byte offsets per array: of its first row, or of each of its columns. */
  starts: number[][];
  /** Descriptor of the temporary file with the decoded numbers; null if they are read in place. */
  fd: number | null;
}

/**
 * Makes the rows of concatenated arrays readable for workers: in place if possible, otherwise in a temporary file.
 * @param holds `classes`: class numbers or one-hot rows, one per row; `margins`: numbers z whose logits are (0, z)
 * @param options `copy` forces a copy
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function locateRows(
  file: Readable & Partial<Pick<UnpackedArrays, "start">>,
  arrays: readonly ArrayRows[],
  holds: "numbers" | "classes" | "margins",
  { temporary, copy }: Pick<Opening, "temporary"> & { copy?: boolean },
): LocatedRows {
  const [first] = arrays as [ArrayRows];
  const { type, values } = first;
  const starts = arrays.map((array) => file.start?.(array) ?? array.start);
  const storage = storageInPlace(arrays);
  const areOneHot = holds === "classes" && values > 1;
  if (storage && !areOneHot && holds !== "margins" && !copy)
    return {
      storage,
      type,
      values,
      starts: arrays.map((array, k) =>
        startsOf(array, starts[k] as number, storage),
      ),
      fd: null,
    };
  const sizes = arrays.map((array) => bytesOf(array) as number);
  const total = sizes.reduce((a, b) => a + b, 0);
  checkLimit(file, whereOf(first), "maxDecodedBytes", total);
  requireInput(
    file,
    starts.map((start, k) => ({ start, end: start + (sizes[k] as number) })),
  );
  const bytes = { ...file, starts };
  const decoded = areOneHot
    ? decodeClasses(bytes, first, temporary)
    : decodeArrays(bytes, arrays, holds === "margins", temporary);
  return {
    storage: "fixed-size-list",
    type: areOneHot ? "float64" : type,
    values: decoded.values,
    starts: decoded.starts.map((start) => [start]),
    fd: decoded.fd,
  };
}

/** Number of one-hot values decoded at once; at least one row. */
const ONE_HOT_VALUES = 1 << 20;

function decodeClasses(
  file: ArrayBytes,
  array: ArrayRows,
  temporary: TemporaryFiles,
): DecodedNumbers {
  const { path } = file;
  const { type, rows, values } = array;
  const width = values * numberWidth(type);
  const step = Math.max(1, Math.floor(ONE_HOT_VALUES / values));
  const forCopy = new TemporaryFiles(temporary.directory);
  try {
    const { fd, starts } = decodeArrays(file, [array], false, forCopy);
    const [first = 0] = starts;
    const read = inputReader({ path, fd, present: null });
    return writeDecoded(path, temporary, 1, (target) => {
      const start = target.reserve(0);
      for (let from = 0; from < rows; from += step) {
        const count = Math.min(step, rows - from);
        const bytes = read(first + from * width, count * width);
        const numbers = numbersOfBytes(bytes.buffer, type);
        const classes = Float64Array.from({ length: count }, (_, k) => {
          const row = numbers.subarray(k * values, (k + 1) * values);
          return oneHotClass(row, path, `${whereOf(array)}, row ${from + k}`);
        });
        target.append(new Uint8Array(classes.buffer));
      }
      return [start];
    });
  } finally {
    forCopy.close();
  }
}

// Arrays that cannot be read in place are copied to a temporary file: rows in C order, little-endian numbers. The copy is made
// in tiles, boxes of the array that fit in memory. A tile extends along the fastest axes of the input and along those of the
// copy, so that reads and writes are long for any shape.

/** Maximum number of values in a tile, and along its fastest axes in the input. */
const MAX_TILE_VALUES = 1 << 20;
const MAX_RUN_VALUES = 1 << 10;

/** File with arrays, and the byte offset of the first value of each array. */
interface ArrayBytes extends Readable {
  starts: readonly number[];
}

/** Axis of an array, and the range `[first, first + count)` of it that a tile covers. */
interface TiledAxis extends Axis {
  copyStride: number;
  tileStride: number;
  first: number;
  count: number;
}

/**
 * Copies the rows of arrays to a temporary file.
 * @param areMargins whether to write a zero before each number: the logits (0, z) of margins z
 * @throws InputFormatError, IoError
 */
function decodeArrays(
  file: ArrayBytes,
  arrays: readonly ArrayRows[],
  areMargins: boolean,
  temporary: TemporaryFiles,
): DecodedNumbers {
  const [{ type, values }] = arrays as [ArrayRows];
  const copies = areMargins ? 2 : 1;
  const width = numberWidth(type);
  return writeDecoded(file.path, temporary, copies * values, (target) =>
    arrays.map((array, k) => {
      const start = file.starts[k] as number;
      const offset = target.reserve(array.rows * array.values * copies * width);
      eachTile(array, (tile) => {
        const stored = storedWidth(array);
        const bytes = new Uint8Array(
          valuesOf(ordered(tile, "stride")) * stored,
        );
        eachRun(tile, "stride", bytes, stored, (run, at) =>
          readInput(file, run, start + at),
        );
        const numbers = decodeNumbers(array, bytes);
        const copy = inCopyOrder(tile, numbers, width, copies);
        eachRun(tile, "copyStride", copy, copies * width, (run, at) =>
          writeFully(target.fd, run, offset + at),
        );
      });
      return offset;
    }),
  );
}

/** Visits tiles that together cover an array. Axes are in the order of the copy, slowest first. */
function eachTile(
  { rows, values, rowAxes, valueAxes }: ArrayRows,
  visit: (tile: readonly TiledAxis[]) => void,
): void {
  let copyStride = rows * values;
  if (copyStride === 0) return;
  const axes = joinAxes([...rowAxes, ...valueAxes]).map((axis): TiledAxis => {
    copyStride /= axis.length;
    return { ...axis, copyStride, tileStride: 0, first: 0, count: 1 };
  });
  const extend = (order: readonly TiledAxis[], maxValues: number) => {
    for (const axis of order.toReversed()) {
      const others = valuesOf(axes) / axis.count;
      const fits = Math.min(axis.length, Math.floor(maxValues / others));
      axis.count = Math.max(axis.count, fits);
      if (axis.count < axis.length) return;
    }
  };
  extend(ordered(axes, "stride"), MAX_RUN_VALUES);
  extend(axes, MAX_TILE_VALUES);
  const visitFrom = (tile: TiledAxis[]) => {
    const axis = axes[tile.length];
    for (let first = 0; axis && first < axis.length; first += axis.count) {
      const count = Math.min(axis.count, axis.length - first);
      visitFrom([...tile, { ...axis, first, count }]);
    }
    if (axis) return;
    let tileStride = 1;
    for (const axis of ordered(tile, "stride").reverse()) {
      axis.tileStride = tileStride;
      tileStride *= axis.count;
    }
    visit(tile);
  };
  visitFrom([]);
}

/** Visits the parts of a tile's bytes that are contiguous in the input or in the copy, with their offsets there. */
function eachRun(
  tile: readonly TiledAxis[],
  key: "stride" | "copyStride",
  bytes: Uint8Array,
  width: number,
  visit: (run: Uint8Array, offset: number) => void,
): void {
  const outer = ordered(tile, key);
  let length = width;
  // A run extends to the next slower axis if the tile covers the whole axis.
  for (let axis = outer.pop(); axis; axis = outer.pop()) {
    length *= axis.count;
    if (axis.count < axis.length) break;
  }
  const start = tile.reduce((sum, axis) => sum + axis.first * axis[key], 0);
  let done = 0;
  eachOffset(outer, key, start, (offset) => {
    visit(bytes.subarray(done, done + length), offset * width);
    done += length;
  });
}

/** Returns the numbers of a tile in the order of the copy, each preceded by `copies` - 1 zeros. */
function inCopyOrder(
  tile: readonly TiledAxis[],
  numbers: Uint8Array<ArrayBuffer>,
  width: number,
  copies: number,
): Uint8Array {
  const isOrdered = tile.every(
    (axis, k) => axis.tileStride > (tile[k + 1]?.tileStride ?? 0),
  );
  if (copies === 1 && isOrdered) return numbers;
  // Integer views, because assigning a float may change the bits of a NaN.
  const View = { 1: Uint8Array, 2: Uint16Array }[width] ?? Uint32Array;
  const units = width / View.BYTES_PER_ELEMENT;
  const from = new View(numbers.buffer);
  const to = new View(copies * valuesOf(tile) * units);
  let target = (copies - 1) * units;
  const { count, tileStride } = tile.at(-1) ?? { count: 1, tileStride: 1 };
  eachOffset(tile.slice(0, -1), "tileStride", 0, (offset) => {
    for (let k = 0; k < count; k++, target += copies * units)
      for (let unit = 0; unit < units; unit++)
        to[target + unit] = from[
          (offset + k * tileStride) * units + unit
        ] as number;
  });
  return new Uint8Array(to.buffer);
}

/** Sorts axes by decreasing stride and omits those of stride 0. */
function ordered(
  axes: readonly TiledAxis[],
  key: "stride" | "copyStride",
): TiledAxis[] {
  return axes.filter((axis) => axis[key] > 0).sort((a, b) => b[key] - a[key]);
}

function valuesOf(tile: readonly TiledAxis[]): number {
  return tile.reduce((values, { count }) => values * count, 1);
}

/** Visits the offset of every index along the axes of a tile, the last axis fastest. */
function eachOffset(
  axes: readonly TiledAxis[],
  key: "stride" | "copyStride" | "tileStride",
  start: number,
  visit: (offset: number) => void,
  k = 0,
): void {
  const axis = axes[k];
  for (let n = 0; n < (axis?.count ?? 0); n++)
    eachOffset(axes, key, start + n * (axis as TiledAxis)[key], visit, k + 1);
  if (!axis) visit(start);
}
