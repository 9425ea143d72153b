import { InputUnsupportedError } from "../../errors.js";
import {
  type Candidate,
  chooseCandidate,
  OMIT_BINARY,
  USE_BINARY,
} from "../candidates.js";
import { findListed } from "../column-names.js";
import type { LogitsSelection } from "../logits-column.js";
import { type ArrayRows, rowsOf } from "./array-axes.js";
import {
  isFloat,
  isNumbers,
  namedArray,
  notOneArray,
  refuseUnnamed,
  whereOf,
  withAdvice,
} from "./named-array.js";
import {
  describeArray,
  listedArrays,
  type StoredArray,
} from "./stored-array.js";

/** An array of logits, or of margins, which have one value per row. */
export interface LogitsArray extends ArrayRows {
  /** Lengths of the axes of the rows. */
  leading: readonly number[];
  /** Index of the axis of the classes; the number of axes if there is none. */
  classAxis: number;
}

/**
 * Finds the logits: the named arrays, one after the other, or the only one of two or three dimensions of floats, or else of
 * whole numbers; in a file of one array without a name, that. The classes are on the last axis, or on the axis `classAxis`
 * of arrays of any number of dimensions; all other axes are rows, in their order. Several arrays have the same type and
 * number of classes.
 * @throws LogitsColumnError where there is none or more than one; InputUnsupportedError for another shape or type
 */
export function chooseLogits(
  path: string,
  arrays: readonly StoredArray[],
  selection: LogitsSelection,
): LogitsArray[] {
  const { column, columns } = selection;
  if (columns !== undefined) return batchesOf(path, arrays, columns, selection);
  const array =
    column !== undefined
      ? namedArray(path, arrays, `--column ${column}`, column)
      : onlyArray(path, arrays, selection);
  return [checkedLogits(path, array, selection)];
}

/** Arrays of logits whose rows follow one another. */
function batchesOf(
  path: string,
  arrays: readonly StoredArray[],
  list: string,
  selection: LogitsSelection,
): LogitsArray[] {
  refuseUnnamed(path, arrays, `--columns ${list}`);
  const batches = findListed(
    path,
    list,
    arrays.map(({ name }) => name as string),
    () => notOneArray(0, arrays),
  )
    .flatMap(({ places }) => places)
    .map((place) =>
      checkedLogits(path, arrays[place] as StoredArray, selection),
    );
  const [first] = batches as [LogitsArray];
  const other = batches.find(
    ({ type, values }) => type !== first.type || values !== first.values,
  );
  if (other)
    throw new InputUnsupportedError(
      path,
      whereOf(other),
      `expected ${first.type} and ${first.values} classes as in ${whereOf(first)}, found ${describeArray(other)}; --columns concatenates the rows of arrays`,
    );
  return batches;
}

/** @throws InputUnsupportedError where an array is not of numbers, or has no axis of classes */
function checkedLogits(
  path: string,
  array: StoredArray,
  selection: LogitsSelection,
): LogitsArray {
  const { shape } = array;
  const classAxis = classAxisOf(array, selection);
  const fail = (text: string) =>
    new InputUnsupportedError(path, whereOf(array), text);
  if (!isNumbers(array) || classAxis === null)
    throw fail(expectation(array, selection));
  if (shape[classAxis] === 0)
    throw fail(
      `expected at least 1 class, found ${describeArray(array)}; check the program that wrote it`,
    );
  const leading = shape.filter((_, axis) => axis !== classAxis);
  return { ...rowsOf(array, [classAxis]), leading, classAxis };
}

/** Index of the axis of the classes; null if the array has none. Margins have one value there, or no such axis. */
function classAxisOf(
  { shape }: StoredArray,
  { classAxis, binary }: LogitsSelection,
): number | null {
  const axes = shape.length;
  if (binary && axes === 1 && classAxis === undefined) return axes;
  if (axes < 2 || (axes > 3 && classAxis === undefined)) return null;
  const axis = classAxis ?? -1;
  const index = axis < 0 ? axes + axis : axis;
  const length = shape[index];
  return length === undefined || (binary && length !== 1) ? null : index;
}

const SHAPES = "shape (rows, classes)";
const MARGIN_SHAPES = "shape (rows,) or (rows, 1)";
const SAVE_SO = "save the logits as an array of this shape";
const CHOOSE_AXIS =
  "choose the axis of the classes with --class-axis (-1 is the last), or make it the last and all others rows: numpy.moveaxis(x, AXIS, -1).reshape(-1, CLASSES)";

/** Describes what is wrong with an array, and what to do. */
function expectation(
  array: StoredArray,
  { classAxis, binary }: LogitsSelection,
): string {
  const { shape } = array;
  const axes = shape.length;
  const found = describeArray(array);
  if (!isNumbers(array) || axes === 0)
    return withAdvice(
      `expected numbers of ${SHAPES}, found ${found}`,
      [array],
      SAVE_SO,
    );
  if (classAxis !== undefined && axes < 2)
    return `--class-axis ${classAxis}: expected an array of two or more dimensions, found ${found}`;
  if (classAxis !== undefined && !(classAxis >= -axes && classAxis < axes))
    return `--class-axis ${classAxis}: expected an axis from ${-axes} to ${axes - 1}, found ${found}`;
  if (binary)
    return `--binary: expected margins of ${MARGIN_SHAPES}, found ${found}; ${OMIT_BINARY}`;
  return `expected numbers of ${SHAPES}, found ${found}; ${
    axes === 1
      ? `reshape one row of logits to (1, ${shape[0]}); ${USE_BINARY}`
      : CHOOSE_AXIS
  }`;
}

function onlyArray(
  path: string,
  arrays: readonly StoredArray[],
  selection: LogitsSelection,
): StoredArray {
  if (arrays[0]?.name === null) return arrays[0];
  const shapes = selection.binary ? MARGIN_SHAPES : SHAPES;
  const found = listedArrays(arrays);
  const hasMargins = arrays.some(
    ({ type, shape }) => type && isFloat(type) && shape.length === 1,
  );
  const advice = arrays.some(({ shape }) => shape.length > 3)
    ? CHOOSE_AXIS
    : selection.binary
      ? OMIT_BINARY
      : hasMargins
        ? USE_BINARY
        : SAVE_SO;
  const place = chooseCandidate(
    path,
    arrays.map((array) => candidateOf(array, selection)),
    {
      thing: "array",
      forms: [`floats of ${shapes}`, `whole numbers of ${shapes}`],
      none: withAdvice(
        `expected an array of numbers of ${shapes}, found ${found}`,
        arrays,
        advice,
      ),
    },
  );
  return arrays[place] as StoredArray;
}

/** Describes an array as a candidate for the logits. */
export function candidateOf(
  array: StoredArray,
  selection: LogitsSelection,
): Candidate {
  const { name, type, stored, shape } = array;
  const float = type ? isFloat(type) : UNREAD_FLOAT.test(stored);
  const fits = isNumbers(array) && classAxisOf(array, selection) !== null;
  const axes = `${shape.length} dimension${shape.length === 1 ? "" : "s"}`;
  return {
    name: name ?? "",
    type: describeArray({ ...array, name: null }),
    form: fits ? (float ? 0 : 1) : null,
    isFloat: float,
    problem: isNumbers(array)
      ? `it has ${axes}${shape.length > 3 ? ": use --class-axis" : ""}`
      : "its type is not supported",
  };
}

/** Floats, complex numbers and raw bytes as NumPy calls them, and floats of 8 bits. */
const UNREAD_FLOAT = /^[<>|=]?[fcV]\d|^F\d/;
