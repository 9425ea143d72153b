import { InputUnsupportedError } from "../../errors.js";
import type { InputName } from "../../results/catalogue.js";
import { valuesAllowed } from "../../results/columns.js";
import { keptPlaces } from "../kept-columns.js";
import { flagOf, isClassOption } from "../value-column.js";
import {
  isFloat,
  type NumberArray,
  namedArray,
  notOneArray,
  refuseUnnamed,
  whereOf,
  withAdvice,
} from "./named-array.js";
import { describeArray, type StoredArray, valuesOf } from "./stored-array.js";

/**
 * The array that an option names, of `rows` rows: whole numbers or floats for classes, floats for all else.
 * @throws LogitsColumnError where there is not one of that name; InputUnsupportedError for another shape or type
 */
export function chooseInput(
  path: string,
  arrays: readonly StoredArray[],
  { option, name }: { option: InputName; name: string },
  rows: number,
  classes: number,
  leading: readonly number[],
): NumberArray & { values: number } {
  const flag = `--${flagOf(option)}`;
  const array = namedArray(path, arrays, `${flag} ${name}`, name);
  const { type, shape } = array;
  const single = isClassOption(option);
  const rowShapes = leading.length > 1 ? [[rows], leading] : [[rows]];
  // One number a row, or one-hot rows.
  const allowed = single
    ? rowShapes.flatMap((shape) => [shape, [...shape, 1], [...shape, classes]])
    : [
        ...valuesAllowed(option, classes).map((values) => [rows, values]),
        ...(option === "covariance" ? [[rows, classes, classes]] : []),
      ];
  const fits = allowed.some((one) => one.join() === shape.join());
  const isFortran = single && array.fortran && shape.length > 1;
  if (isFortran)
    throw new InputUnsupportedError(
      path,
      whereOf(array),
      `expected an array in C order for ${flag}, found Fortran order; save it with numpy.ascontiguousarray`,
    );
  if (!type || !(single || isFloat(type)) || !fits)
    throw new InputUnsupportedError(
      path,
      whereOf(array),
      withAdvice(
        `expected ${single ? "class numbers" : "floats"} of shape ${allowed.map((one) => `[${one.join(", ")}]`).join(" or ")} for ${flag}, found ${describeArray(array)}`,
        array,
      ),
    );
  const values = (valuesOf(shape) as number) / Math.max(1, rows);
  return single
    ? { ...array, type, shape: values === 1 ? [rows] : [rows, values], values }
    : { ...array, type, values: valuesOf(shape.slice(1)) as number };
}

/**
 * The arrays named in `keep`, in that order: one number a row.
 * @throws LogitsColumnError for a name that is not there once, or that the output has itself; InputUnsupportedError
 */
export function chooseKept(
  path: string,
  arrays: readonly StoredArray[],
  { keep, ownNames }: { keep: readonly string[]; ownNames: readonly string[] },
  rows: number,
): NumberArray[] {
  // An .npy file has one array, without a name.
  if (keep.length > 0) refuseUnnamed(path, arrays, `--keep ${keep.join()}`);
  const names = arrays.map(({ name }) => name as string);
  return keptPlaces(path, keep, names, ownNames, (places) =>
    notOneArray(places.length, arrays),
  ).map((place) => {
    const array = arrays[place] as StoredArray;
    const { type, shape } = array;
    // Arrow has no bfloat16 to keep it as.
    if (!type || type === "bfloat16" || shape.length !== 1 || shape[0] !== rows)
      throw new InputUnsupportedError(
        path,
        whereOf(array),
        `expected numbers of shape [${rows}] to keep, found ${describeArray(array)}`,
      );
    return { ...array, type };
  });
}
