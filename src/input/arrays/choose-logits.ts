import { InputUnsupportedError, LogitsColumnError } from "../../errors.js";
import { type Candidate, chooseCandidate } from "../candidates.js";
import { findNames, splitNames } from "../column-names.js";
import type { LogitsSelection } from "../logits-column.js";
import { isByColumns } from "./array-places.js";
import {
  isFloat,
  type NumberArray,
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

/** An array of logits, whose leading axes are its rows. */
export interface LogitsArray extends NumberArray {
  /** Lengths of all axes but the last. */
  leading: readonly number[];
}

/**
 * The logits: the named arrays, one after the other, or the only one of two or three dimensions of floats, or else of
 * whole numbers; in a file of one array without a name, that. Their shapes are (rows, classes), with the same classes and
 * type: of three dimensions, the first two are the rows.
 * @throws LogitsColumnError where there is none or more than one; InputUnsupportedError for another shape or type
 */
export function chooseLogits(
  path: string,
  arrays: readonly StoredArray[],
  { column, columns }: LogitsSelection,
): LogitsArray[] {
  if (columns !== undefined) return batchesOf(path, arrays, columns);
  const array =
    column !== undefined
      ? namedArray(path, arrays, `--column ${column}`, column)
      : onlyArray(path, arrays);
  return [checkedLogits(path, array)];
}

const RESHAPE =
  "make the classes the last axis and all others rows: numpy.moveaxis(x, AXIS, -1).reshape(-1, CLASSES)";

/** Arrays of logits whose rows follow one another. */
function batchesOf(
  path: string,
  arrays: readonly StoredArray[],
  list: string,
): LogitsArray[] {
  const option = `--columns ${list}`;
  refuseUnnamed(path, arrays, option);
  const found = findNames(
    splitNames(list),
    arrays.map(({ name }) => name as string),
  );
  const missing = found.find(({ places }) => places.length === 0);
  if (missing)
    throw new LogitsColumnError(
      path,
      `--columns ${missing.text}: ${notOneArray(0, arrays)}`,
    );
  const batches = found
    .flatMap(({ places }) => places)
    .map((place) => checkedLogits(path, arrays[place] as StoredArray));
  const [first] = batches as [LogitsArray];
  const other = batches.find(
    ({ type, shape }) => type !== first.type || shape[1] !== first.shape[1],
  );
  if (other)
    throw new InputUnsupportedError(
      path,
      whereOf(other),
      `expected ${first.type} and ${first.shape[1]} classes as in ${whereOf(first)}, found ${describeArray(other)}; --columns concatenates the rows of arrays`,
    );
  const fortran = batches.find(isByColumns);
  const c = batches.find(
    (array) => !isByColumns(array) && (array.shape[0] as number) > 1,
  );
  if (fortran && c)
    throw new InputUnsupportedError(
      path,
      whereOf(fortran),
      `the array is in Fortran order and ${whereOf(c)} in C order; save all in C order with numpy.ascontiguousarray`,
    );
  return batches;
}

/** @throws InputUnsupportedError where an array is not of numbers, or of other than two or three dimensions */
function checkedLogits(path: string, array: StoredArray): LogitsArray {
  const { type, shape } = array;
  const found = `expected numbers of shape (rows, classes), found ${describeArray(array)}`;
  const where = whereOf(array);
  if (!type)
    throw new InputUnsupportedError(path, where, withAdvice(found, array));
  const isFortran = array.fortran && shape.length > 2;
  if (shape.length < 2 || shape.length > 3 || isFortran)
    throw new InputUnsupportedError(
      path,
      where,
      isFortran
        ? `${found} in Fortran order; save it in C order with numpy.ascontiguousarray`
        : shape.length > 3
          ? `${found}; ${RESHAPE}`
          : shape.length === 1
            ? `${found}; reshape one row to (1, ${shape[0]}); for binary margins z (log-odds), stack the two classes (0, z): numpy.stack([0 * z, z], axis=1)`
            : found,
    );
  const classes = shape.at(-1) as number;
  if (classes < 1)
    throw new InputUnsupportedError(
      path,
      where,
      `expected at least 1 class, found ${describeArray(array)}`,
    );
  const leading = shape.slice(0, -1);
  const rows = leading.reduce((product, length) => product * length, 1);
  return { ...array, type, leading, shape: [rows, classes] };
}

function onlyArray(path: string, arrays: readonly StoredArray[]): StoredArray {
  if (arrays[0]?.name === null) return arrays[0];
  const place = chooseCandidate(path, arrays.map(candidateOf), {
    thing: "array",
    forms: [
      "floats of shape (rows, classes)",
      "whole numbers of shape (rows, classes)",
    ],
    none: `expected an array of numbers of shape (rows, classes), found ${listedArrays(arrays)}${arrays.some(({ shape }) => shape.length > 3) ? `; ${RESHAPE}` : ""}`,
  });
  return arrays[place] as StoredArray;
}

function candidateOf(array: StoredArray): Candidate {
  const { name, type, stored, shape } = array;
  const float = type ? isFloat(type) : UNREAD_FLOAT.test(stored);
  const kind = float ? 0 : 1;
  return {
    name: name ?? "",
    type: describeArray({ ...array, name: null }),
    form: type && (shape.length === 2 || shape.length === 3) ? kind : null,
    isFloat: float,
    problem: type
      ? `it has ${shape.length} dimension${shape.length === 1 ? "" : "s"}${shape.length > 3 ? ": reshape it to (rows, classes)" : ""}`
      : "its type is not supported",
  };
}

/** Floats, complex numbers and raw bytes as NumPy calls them, and floats of 8 bits. */
const UNREAD_FLOAT = /^[<>|=]?[fcV]\d|^F\d/;
