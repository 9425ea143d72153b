import { InputUnsupportedError, LogitsColumnError } from "../../errors.js";
import { type InputUse, valuesOf } from "../../results/catalogue.js";
import { auxiliaryLengths } from "../../results/columns.js";
import {
  type Candidate,
  chooseCandidate,
  OMIT_BINARY,
  USE_BINARY,
} from "../candidates.js";
import { copiedIndices, findListed, indexOfName } from "../column-names.js";
import type { LogitsSelection } from "../logits-file.js";
import { adviceOn, flagOf } from "../value-column.js";
import { type ArrayRows, rowsOf } from "./array-axes.js";
import {
  describeArray,
  isFloat,
  isNumbers,
  listedArrays,
  type NumberArray,
  namedArrays,
  type StoredArray,
  whereOf,
  withAdvice,
} from "./stored-array.js";

/** Array of logits, or of margins with one value per row. */
export interface LogitsArray extends ArrayRows {
  /** Lengths of the axes of the rows. */
  leading: readonly number[];
  /** Index of the axis of the classes; the number of axes if there is no such axis (margins). */
  classAxis: number;
}

/**
 * Finds the logits: the named arrays, which are concatenated and must agree in type and number of classes; otherwise the
 * only array of two or three dimensions, floats before whole numbers; or the only array of an .npy file. The classes are on
 * the last axis, or on `classAxis` of an array of any number of dimensions; all other axes are rows, in order.
 * @throws LogitsColumnError if there is none or more than one; InputUnsupportedError for another shape or type
 */
export function chooseLogits(
  path: string,
  arrays: readonly StoredArray[],
  selection: LogitsSelection,
): LogitsArray[] {
  const { columns, features } = selection;
  const column = features ?? selection.column;
  const logitsAt = (index: number) =>
    checkedLogits(path, arrays[index] as StoredArray, selection);
  const option = `--${features ? "features" : "column"} ${column}`;
  if (features !== undefined) rejectSeparate(path, arrays, features);
  if (columns === undefined)
    return [
      logitsAt(
        column === undefined
          ? onlyArray(path, arrays, selection)
          : indexOfName(namedArrays(path, arrays, option), option, column),
      ),
    ];
  const batches = findListed(
    namedArrays(path, arrays, `--columns ${columns}`),
    columns,
  ).flatMap(({ indices }) => indices.map(logitsAt));
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

/** Returns the rows of an array of logits. @throws InputUnsupportedError if it has no numbers or no axis of classes */
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

/** Returns the axis of the classes; null if there is none. Margins have length 1 on it, or one axis in all. */
function classAxisOf(
  { shape }: StoredArray,
  { classAxis, binary }: LogitsSelection,
): number | null {
  const axes = shape.length;
  if (binary && axes === 1 && classAxis === undefined) return axes;
  if (axes < 2 || (axes > 3 && classAxis === undefined)) return null;
  const length = shape.at(classAxis ?? -1);
  if (length === undefined || (binary && length !== 1)) return null;
  return ((classAxis ?? -1) + axes) % axes;
}

const SHAPES = "shape (rows, classes)";
const MARGIN_SHAPES = "shape (rows,) or (rows, 1)";
const SAVE_THIS_SHAPE = "save the logits as an array of this shape";
const CHOOSE_AXIS =
  "choose the axis of the classes with --class-axis (-1 is the last), or make it the last and all others rows: numpy.moveaxis(x, AXIS, -1).reshape(-1, CLASSES)";

function shapesFor({ binary }: LogitsSelection): string {
  return binary ? MARGIN_SHAPES : SHAPES;
}

/** Describes why an array cannot be the logits, and what to do. */
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
      SAVE_THIS_SHAPE,
    );
  const axis = `--class-axis ${classAxis}: expected`;
  if (classAxis !== undefined && axes < 2)
    return `${axis} an array of two or more dimensions, found ${found}`;
  if (classAxis !== undefined && shape.at(classAxis) === undefined)
    return `${axis} an axis from ${-axes} to ${axes - 1}, found ${found}`;
  if (binary)
    return `--binary: expected margins of ${MARGIN_SHAPES}, found ${found}; ${OMIT_BINARY}`;
  const advice =
    axes === 1
      ? `reshape one row of logits to (1, ${shape[0]}); ${USE_BINARY}`
      : CHOOSE_AXIS;
  return `expected numbers of ${SHAPES}, found ${found}; ${advice}`;
}

function onlyArray(
  path: string,
  arrays: readonly StoredArray[],
  selection: LogitsSelection,
): number {
  if (arrays[0]?.name === null) return 0;
  const shapes = shapesFor(selection);
  const hasMargins = arrays.some(
    ({ type, shape }) => type && isFloat(type) && shape.length === 1,
  );
  const advice = arrays.some(({ shape }) => shape.length > 3)
    ? CHOOSE_AXIS
    : selection.binary
      ? OMIT_BINARY
      : hasMargins
        ? USE_BINARY
        : SAVE_THIS_SHAPE;
  return chooseCandidate(
    path,
    "array",
    arrays.map((array) => candidateOf(array, selection)),
    [`floats of ${shapes}`, `whole numbers of ${shapes}`],
    withAdvice(
      `expected an array of numbers of ${shapes}, found ${listedArrays(arrays)}`,
      arrays,
      advice,
    ),
  );
}

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
    form: fits
      ? `${float ? "floats" : "whole numbers"} of ${shapesFor(selection)}`
      : null,
    isFloat: float,
    problem: isNumbers(array)
      ? `it has ${axes}${shape.length > 3 ? ": use --class-axis" : ""}`
      : "its type is not supported",
  };
}

/** Unsupported types that could be logits: floats, complex numbers and raw bytes of NumPy, 8-bit floats of safetensors. */
const UNREAD_FLOAT = /^[<>|=]?[fcV]\d|^F\d/;

/** Shape of the logits, which other arrays must match. */
export interface LogitsShape {
  rows: number;
  leading: readonly number[];
  classes: number;
  classAxis: number;
}

/** Shape of an array beside the logits, and the axes that hold the numbers of a row. */
interface RowShape {
  shape: readonly number[];
  valueAxes: readonly number[];
  /** Rows of logits per row of this shape; default: 1. */
  repeats?: number;
}

/** Rejects names or patterns of several arrays of features. @throws LogitsColumnError */
function rejectSeparate(
  path: string,
  arrays: readonly StoredArray[],
  features: string,
): void {
  if (arrays.some(({ name }) => name === features)) return;
  if (/[,*?]/.test(features))
    throw new LogitsColumnError(
      path,
      `--features ${features}: a file of arrays has all features in one array of shape (rows, features); the file has ${listedArrays(arrays)}; save numpy.column_stack([…])`,
    );
}

/**
 * Finds the array that an option names; it must have as many rows as the logits.
 * @throws LogitsColumnError unless exactly one array has that name; InputUnsupportedError for another shape or type
 */
export function chooseInput(
  path: string,
  arrays: readonly StoredArray[],
  { option, name }: { option: InputUse; name: string },
  logits: LogitsShape,
): ArrayRows {
  if (option === "label" && !arrays.some((array) => array.name === name))
    throw new LogitsColumnError(
      path,
      `--label ${name}: no such array; the file has ${listedArrays(arrays)}, and there is no .npy file at this path`,
    );
  if (option === "features") rejectSeparate(path, arrays, name);
  const flag = `--${flagOf(option)} ${name}`;
  const index = indexOfName(namedArrays(path, arrays, flag), flag, name);
  return checkedInput(path, arrays[index] as StoredArray, option, logits);
}

/** Returns the rows of an option's array. @throws InputUnsupportedError */
export function checkedInput(
  path: string,
  array: StoredArray,
  option: InputUse,
  logits: LogitsShape,
): ArrayRows {
  const { type } = array;
  const isClass = valuesOf(option) === "class";
  const shapes = allowedShapes(option, logits, array.shape);
  return asRows(path, array, shapes, {
    isOfType: type !== null,
    expected: isClass ? "class numbers" : "numbers",
    use: `for --${flagOf(option)}`,
    advice: () => adviceOn(option),
  });
}

/**
 * Finds the arrays named in `keep`, in that order; each has one number per row.
 * @throws LogitsColumnError for an unknown or ambiguous name, or one that the output already has; InputUnsupportedError
 */
export function chooseCopied(
  path: string,
  arrays: readonly StoredArray[],
  { keep, ownNames }: { keep: readonly string[]; ownNames: readonly string[] },
  { rows, leading }: LogitsShape,
): ArrayRows[] {
  if (keep.length === 0) return [];
  const named = namedArrays(path, arrays, `--keep ${keep.join()}`);
  const full = leading.length > 1 ? [shape(leading)] : [];
  const shapes = [shape([rows]), ...full, ...repeatedShape(leading)];
  return copiedIndices(named, keep, ownNames).map((index) => {
    const array = arrays[index] as StoredArray;
    return asRows(path, array, shapes, {
      // Arrow has no bfloat16.
      isOfType: isNumbers(array) && array.type !== "bfloat16",
      expected: "numbers",
      use: "to keep",
      advice: (fits) =>
        fits ? `save it as ${isNumbers(array) ? "float32" : "uint8"}` : "",
    });
  });
}

/** Returns the rows of an array, which must have one of the shapes. @throws InputUnsupportedError */
function asRows(
  path: string,
  array: StoredArray,
  shapes: readonly RowShape[],
  wanted: {
    isOfType: boolean;
    expected: string;
    use: string;
    advice(fits: boolean): string;
  },
): ArrayRows {
  const match = shapes.find(({ shape }) => `${shape}` === `${array.shape}`);
  if (wanted.isOfType && match)
    return rowsOf(array as NumberArray, match.valueAxes, match.repeats);
  const listed = shapes.map(({ shape }) => `[${shape.join(", ")}]`);
  throw new InputUnsupportedError(
    path,
    whereOf(array),
    withAdvice(
      `expected ${wanted.expected} of shape ${listed.join(" or ")} ${wanted.use}, found ${describeArray(array)}`,
      [array],
      wanted.advice(match !== undefined),
    ),
  );
}

/**
 * Returns the shapes that an option accepts: the shape of the logits, or rows with the option's number of values on the last
 * axes. Class numbers, weights and groups may also be one per row, or one per index of the first axis.
 */
function allowedShapes(
  option: InputUse,
  { rows, leading, classes, classAxis }: LogitsShape,
  found: readonly number[],
): RowShape[] {
  const outer = leading.length > 1 ? [[rows], leading] : [[rows]];
  if (option === "features")
    return outer.map((rows) => shape(rows, found.at(-1) ?? 1));
  if (option === "weight" || option === "by")
    return [
      ...outer.flatMap((rows) => [shape(rows), shape(rows, 1)]),
      ...repeatedShape(leading),
    ];
  const asLogits: RowShape = {
    shape: leading.toSpliced(classAxis, 0, classes),
    valueAxes: [classAxis],
  };
  const isOther = ({ shape }: RowShape) => `${shape}` !== `${asLogits.shape}`;
  if (valuesOf(option) === "class") {
    const others = outer.flatMap((rows) =>
      [[], [1], [classes]].map((values) => shape(rows, ...values)),
    );
    return [...others.filter(isOther), asLogits, ...repeatedShape(leading)];
  }
  const others = auxiliaryLengths(option, classes).map((n) => shape([rows], n));
  if (option === "covariance") others.push(shape([rows], classes, classes));
  return [asLogits, ...others.filter(isOther)];
}

function shape(rows: readonly number[], ...values: number[]): RowShape {
  const valueAxes = values.map((_, k) => rows.length + k);
  return { shape: [...rows, ...values], valueAxes };
}

/** Returns the shape of one number per index of the first axis, if each index has several rows. */
function repeatedShape([first = 0, ...inner]: readonly number[]): RowShape[] {
  const repeats = inner.reduce((product, length) => product * length, 1);
  return repeats > 1 ? [{ ...shape([first]), repeats }] : [];
}
