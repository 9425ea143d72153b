import { InputUnsupportedError, LogitsColumnError } from "../../errors.js";
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
      `--columns ${columns}: expected --column, since the classes of an array are not columns of their own, found --columns`,
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
  // Whole numbers of that shape are rather something else, so long as there are floats.
  for (const numbers of ["floats", "whole numbers"]) {
    const found = arrays.filter(
      ({ type, shape }) =>
        type && shape.length === 2 && isFloat(type) === (numbers === "floats"),
    );
    if (found.length === 1) return found[0] as StoredArray;
    if (found.length > 1)
      throw new LogitsColumnError(
        path,
        `expected one array of ${numbers} of shape (rows, classes), found ${found.map(({ name }) => name).join(" and ")}: choose with --column`,
      );
  }
  throw new LogitsColumnError(
    path,
    `expected an array of numbers of shape (rows, classes), found ${listedArrays(arrays)}`,
  );
}
