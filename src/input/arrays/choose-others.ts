import { InputUnsupportedError, LogitsColumnError } from "../../errors.js";
import type { InputName } from "../../results/catalogue.js";
import { valuesAllowed } from "../../results/columns.js";
import { keptPlaces } from "../kept-columns.js";
import { adviceOn, flagOf, isClassOption } from "../value-column.js";
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

/** Rows and classes of the logits, which the shapes of other arrays must match. */
export interface LogitsShape {
  rows: number;
  /** Lengths of the axes of the rows. */
  leading: readonly number[];
  classes: number;
  classAxis: number;
}

/** A shape of an array beside the logits, and its axes that hold the numbers of a row. */
interface RowShape {
  shape: readonly number[];
  valueAxes: readonly number[];
  /** Rows of logits for each row of this shape; default: 1. */
  repeats?: number;
}

/**
 * The array that an option names, of as many rows as the logits: whole numbers or floats for classes, floats for all else.
 * @throws LogitsColumnError where there is not one of that name; InputUnsupportedError for another shape or type
 */
export function chooseInput(
  path: string,
  arrays: readonly StoredArray[],
  { option, name }: { option: InputName; name: string },
  logits: LogitsShape,
): ArrayRows {
  if (option === "label" && !arrays.some((array) => array.name === name))
    throw new LogitsColumnError(
      path,
      `--label ${name}: no such array; the file has ${listedArrays(arrays)}, and there is no .npy file at this path`,
    );
  const flag = `--${flagOf(option)} ${name}`;
  const array = namedArray(path, arrays, flag, name);
  return checkedInput(path, array, option, logits);
}

/** @throws InputUnsupportedError for another shape or type than the option takes */
export function checkedInput(
  path: string,
  array: StoredArray,
  option: InputName,
  logits: LogitsShape,
): ArrayRows {
  const { type } = array;
  const isClass = isClassOption(option);
  const shapes = shapesOf(option, logits);
  const found = shapes.find(({ shape }) => isSame(shape, array.shape));
  if (!type || !(isClass || isFloat(type)) || !found)
    throw new InputUnsupportedError(
      path,
      whereOf(array),
      withAdvice(
        `expected ${isClass ? "class numbers" : "floats"} of shape ${listedShapes(shapes)} for --${flagOf(option)}, found ${describeArray(array)}`,
        [array],
        adviceOn(option),
      ),
    );
  return rowsOf({ ...array, type }, found.valueAxes, found.repeats);
}

/**
 * The shapes that an option takes: one number per row, one per class on the axis of the classes, or more on last axes;
 * and of classes one for all rows of an index of the first axis.
 */
function shapesOf(
  option: InputName,
  { rows, leading, classes, classAxis }: LogitsShape,
): RowShape[] {
  const outer = leading.length > 1 ? [[rows], leading] : [[rows]];
  const asLogits: RowShape = {
    shape: leading.toSpliced(classAxis, 0, classes),
    valueAxes: [classAxis],
  };
  const others = (
    isClassOption(option)
      ? outer.flatMap((rows) => [
          shape(rows),
          shape(rows, 1),
          shape(rows, classes),
        ])
      : [
          ...valuesAllowed(option, classes).map((n) => shape([rows], n)),
          ...(option === "covariance" ? [shape([rows], classes, classes)] : []),
        ]
  ).filter((other) => !isSame(other.shape, asLogits.shape));
  if (!isClassOption(option)) return [asLogits, ...others];
  return [...others, asLogits, ...repeatedShape(leading)];
}

function shape(rows: readonly number[], ...values: number[]): RowShape {
  const valueAxes = values.map((_, k) => rows.length + k);
  return { shape: [...rows, ...values], valueAxes };
}

/** The shape of one number for all rows of an index of the first axis, if these are several. */
function repeatedShape([first = 0, ...inner]: readonly number[]): RowShape[] {
  const repeats = inner.reduce((product, length) => product * length, 1);
  return repeats > 1 ? [{ ...shape([first]), repeats }] : [];
}

function listedShapes(shapes: readonly RowShape[]): string {
  return shapes.map(({ shape }) => `[${shape.join(", ")}]`).join(" or ");
}

function isSame(shape: readonly number[], other: readonly number[]): boolean {
  return shape.join() === other.join();
}

/**
 * The arrays named in `keep`, in that order: one number per row.
 * @throws LogitsColumnError for a name that is not there once, or that the output has itself; InputUnsupportedError
 */
export function chooseKept(
  path: string,
  arrays: readonly StoredArray[],
  { keep, ownNames }: { keep: readonly string[]; ownNames: readonly string[] },
  { rows, leading }: LogitsShape,
): ArrayRows[] {
  // An .npy file has one array, without a name.
  if (keep.length > 0) refuseUnnamed(path, arrays, `--keep ${keep.join()}`);
  const names = arrays.map(({ name }) => name as string);
  const full = leading.length > 1 ? [shape(leading)] : [];
  const shapes = [shape([rows]), ...full, ...repeatedShape(leading)];
  return keptPlaces(path, keep, names, ownNames, (places) =>
    notOneArray(places.length, arrays),
  ).map((place) => {
    const array = arrays[place] as StoredArray;
    const found = shapes.find(({ shape }) => isSame(shape, array.shape));
    // Arrow has no bfloat16 to keep it as.
    if (!isNumbers(array) || array.type === "bfloat16" || !found)
      throw new InputUnsupportedError(
        path,
        whereOf(array),
        withAdvice(
          `expected numbers of shape ${listedShapes(shapes)} to keep, found ${describeArray(array)}`,
          [array],
          found && `save it as ${isNumbers(array) ? "float32" : "uint8"}`,
        ),
      );
    return rowsOf(array, [], found.repeats);
  });
}
