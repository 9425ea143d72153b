import { InputUnsupportedError, LogitsColumnError } from "../../errors.js";
import { type Candidate, chooseCandidate } from "../candidates.js";
import type { LogitsSelection } from "../logits-column.js";
import {
  isFloat,
  type NumberArray,
  namedArray,
  whereOf,
  withAdvice,
} from "./named-array.js";
import {
  describeArray,
  listedArrays,
  type StoredArray,
} from "./stored-array.js";

/**
 * The logits: the named array, or the only one of two dimensions of floats, or else of whole numbers; in a file of one
 * array without a name, that. Its shape is (rows, classes).
 * @throws LogitsColumnError where there is none or more than one; InputUnsupportedError for another shape or type
 */
export function chooseLogits(
  path: string,
  arrays: readonly StoredArray[],
  { column, columns }: LogitsSelection,
): NumberArray {
  if (columns !== undefined)
    throw new LogitsColumnError(
      path,
      `--columns ${columns}: an array has all classes in one; choose it with --column`,
    );
  const array =
    column !== undefined
      ? namedArray(path, arrays, `--column ${column}`, column)
      : onlyArray(path, arrays);
  const { type, shape } = array;
  const found = `expected numbers of shape (rows, classes), found ${describeArray(array)}`;
  const where = whereOf(array);
  if (!type)
    throw new InputUnsupportedError(path, where, withAdvice(found, array));
  if (shape.length !== 2)
    throw new InputUnsupportedError(
      path,
      where,
      shape.length === 1
        ? `${found}: reshape it to (1, ${shape[0]}) if it is one row, to (${shape[0]}, 1) if it is one class`
        : found,
    );
  if ((shape[1] as number) < 1)
    throw new InputUnsupportedError(
      path,
      where,
      `expected at least 1 class, found ${describeArray(array)}`,
    );
  return { ...array, type };
}

function onlyArray(path: string, arrays: readonly StoredArray[]): StoredArray {
  if (arrays[0]?.name === null) return arrays[0];
  const place = chooseCandidate(path, arrays.map(candidateOf), {
    thing: "array",
    forms: [
      "floats of shape (rows, classes)",
      "whole numbers of shape (rows, classes)",
    ],
    none: `expected an array of numbers of shape (rows, classes), found ${listedArrays(arrays)}`,
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
    form: type && shape.length === 2 ? kind : null,
    isFloat: float,
    problem: type
      ? `it has ${shape.length} dimension${shape.length === 1 ? "" : "s"}${shape.length > 2 ? ": reshape it to (rows, classes)" : ""}`
      : "its type is not supported",
  };
}

/** Floats, complex numbers and raw bytes as NumPy calls them, and floats of 8 bits. */
const UNREAD_FLOAT = /^[<>|=]?[fcV]\d|^F\d/;
