import { type NumberType, numberWidth } from "../../arrow/field.js";
import { InputUnsupportedError } from "../../errors.js";
import { checkLimit } from "../../io/limits.js";
import { type DecodedNumbers, writeDecoded } from "../decode-sources.js";
import type { OpenOptions } from "../logits-file.js";
import { type Readable, readInput, requireInput } from "../read-input.js";
import {
  bytesOf,
  describeArray,
  type NumberArray,
  type UnpackedArrays,
  whereOf,
} from "./stored-array.js";

/** Array interpreted as rows of numbers. In the file, its axes are [groups, values, inner]: row g * inner + i is [g, :, i]. */
export interface ArrayRows extends NumberArray {
  rows: number;
  /** Numbers per row. */
  values: number;
  /** Number of rows whose numbers are interleaved: 1 if each row is contiguous, all rows if each column is. */
  inner: number;
  /** Number of consecutive rows with the same number; values and inner are 1 if there are several. */
  repeats: number;
}

/**
 * Interprets an array as rows: the axes `inRow`, which are adjacent, hold the numbers of a row, and all other axes, in order,
 * are the rows. An axis beyond the last has length 1.
 * @param repeats number of consecutive rows with the same number
 * @throws InputUnsupportedError for several axes of rows, or of numbers, in Fortran order
 */
export function rowsOf(
  path: string,
  array: NumberArray,
  inRow: readonly number[],
  repeats = 1,
): ArrayRows {
  const { shape, fortran } = array;
  const axes = [...shape.keys()];
  const ofRows = axes.filter((axis) => !inRow.includes(axis));
  const isReversed = [ofRows, inRow].some(
    (axes) => axes.filter((axis) => shape[axis] !== 1).length > 1,
  );
  if (fortran && isReversed)
    throw new InputUnsupportedError(
      path,
      whereOf(array),
      `expected C order, found ${describeArray(array)} in Fortran order; save numpy.ascontiguousarray(x)`,
    );
  const lengthOf = (axes: readonly number[]) =>
    axes.reduce((product, axis) => product * (shape[axis] ?? 1), 1);
  const values = lengthOf(inRow);
  const [first = shape.length] = inRow;
  const faster = ofRows.filter((axis) => axis < first === fortran);
  return {
    ...array,
    rows: lengthOf(ofRows) * repeats,
    values,
    inner: values === 1 ? 1 : lengthOf(faster),
    repeats,
  };
}

/** Rows of numbers as workers read them, in place or decoded. */
export interface LocatedRows {
  storage: ArrayStorage;
  type: NumberType;
  /** Numbers per row. */
  values: number;
  /** Byte offsets per array: of its first row, or of each of its columns. */
  starts: number[][];
  /** Temporary file with the decoded numbers; null if they are read in place. */
  decoded: DecodedNumbers | null;
}

type ArrayStorage = "fixed-size-list" | "columns";

/**
 * Makes the rows of concatenated arrays readable for workers: in place if possible, otherwise in a temporary file.
 * @param options `areMargins`: whether the numbers are margins z, which become the logits (0, z); `copy` forces a copy
 * @throws InputUnsupportedError, IoError
 */
export function locateRows(
  file: Readable & Partial<Pick<UnpackedArrays, "start">>,
  arrays: readonly ArrayRows[],
  options: Pick<OpenOptions, "scratch"> & {
    areMargins?: boolean;
    copy?: boolean;
  },
): LocatedRows {
  const [first] = arrays as [ArrayRows];
  const { type, values } = first;
  const starts = arrays.map((array) => file.start?.(array) ?? array.start);
  const storage = storageInPlace(arrays);
  if (storage && !options.areMargins && !options.copy) {
    const startsOf = ({ inner }: ArrayRows, start: number) =>
      Array.from(
        { length: storage === "columns" ? values : 1 },
        (_, k) => start + k * inner * numberWidth(type),
      );
    return {
      ...{ storage, type, values, decoded: null },
      starts: arrays.map((array, k) => startsOf(array, starts[k] as number)),
    };
  }
  const sizes = arrays.map((array) => bytesOf(array) as number);
  const total = sizes.reduce((a, b) => a + b, 0);
  checkLimit(file, whereOf(first), "maxDecodedBytes", "decoded bytes", total);
  requireInput(
    file,
    starts.map((start, k) => ({ start, end: start + (sizes[k] as number) })),
  );
  const zeros = options.areMargins ? 1 : 0;
  const decoded = writeDecoded(file.path, options, zeros + values, (target) =>
    arrays.map((array, k) => {
      const start = target.reserve(0);
      for (const rows of inRowOrder(file, array, starts[k] as number, zeros))
        target.append(rows);
      return start;
    }),
  );
  return {
    ...{ storage: "fixed-size-list", type, values: decoded.values, decoded },
    starts: decoded.starts.map((start) => [start]),
  };
}

/** Maximum number of columns read in place, because messages to workers list the start of each; more are decoded. */
const MAX_COLUMNS = 1 << 20;

/** Returns the storage in which all arrays can be read in place; null if they must be decoded. */
function storageInPlace(arrays: readonly ArrayRows[]): ArrayStorage | null {
  const filled = arrays.filter(({ rows, values }) => rows * values > 0);
  if (filled.some(({ repeats }) => repeats > 1)) return null;
  if (filled.every(({ inner }) => inner === 1)) return "fixed-size-list";
  const areColumns = filled.every(
    ({ rows, values, inner }) => inner === rows && values <= MAX_COLUMNS,
  );
  return areColumns ? "columns" : null;
}

/** Maximum number of values that are read at once, unless a row has more. */
const MAX_VALUES = 1 << 20;

/**
 * Yields the numbers of an array row by row, each row after `zeros` zeros.
 * @throws InputFormatError, IoError
 */
function* inRowOrder(
  file: Readable,
  { type, rows, values, inner, repeats }: ArrayRows,
  start: number,
  zeros: number,
): Generator<Uint8Array> {
  const width = numberWidth(type);
  const groups = rows * values === 0 ? 0 : rows / repeats / inner;
  const groupsAtOnce = Math.max(1, Math.floor(MAX_VALUES / (values * inner)));
  const innerAtOnce = Math.max(1, Math.floor(MAX_VALUES / values));
  for (let group = 0; group < groups; group += groupsAtOnce)
    for (let from = 0; from < inner; from += innerAtOnce) {
      const count = Math.min(groupsAtOnce, groups - group);
      const wide = Math.min(innerAtOnce, inner - from);
      const stored = new Uint8Array(count * values * wide * width);
      const at = (n: number) => start + (n * inner + from) * width;
      if (wide === inner) readInput(file, stored, at(group * values));
      else
        for (let k = 0; k < values; k++) {
          const run = stored.subarray(k * wide * width, (k + 1) * wide * width);
          readInput(file, run, at(group * values + k));
        }
      const shape = { width, groups: count, values, inner: wide, repeats };
      yield transposed(stored, shape, zeros);
    }
}

/** Returns numbers of shape [groups, values, inner] as [groups, inner, repeats, zeros + values]. */
function transposed(
  stored: Uint8Array<ArrayBuffer>,
  shape: Record<"width" | "groups" | "values" | "inner" | "repeats", number>,
  zeros: number,
): Uint8Array {
  const { width, groups, values, inner, repeats } = shape;
  // Integer views, because assigning a float may change the bits of a NaN.
  const View = { 1: Uint8Array, 2: Uint16Array }[width] ?? Uint32Array;
  const units = width / View.BYTES_PER_ELEMENT;
  const from = new View(stored.buffer);
  const to = new View(groups * inner * repeats * (zeros + values) * units);
  let at = 0;
  for (let row = 0; row < groups * inner; row++) {
    const first = Math.floor(row / inner) * values * inner + (row % inner);
    for (let copy = 0; copy < repeats; copy++) {
      at += zeros * units;
      for (let k = 0; k < values; k++)
        for (let unit = 0; unit < units; unit++)
          to[at++] = from[(first + k * inner) * units + unit] as number;
    }
  }
  return new Uint8Array(to.buffer);
}
