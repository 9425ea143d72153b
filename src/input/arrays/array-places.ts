import { numberWidth } from "../../arrow/field.js";
import { InputUnsupportedError } from "../../errors.js";
import { type NumberArray, whereOf } from "./named-array.js";
import { valuesOf } from "./stored-array.js";

/** Every message to a worker names the start of each: more are no classes that anybody has. */
const MAX_FORTRAN_COLUMNS = 1 << 20;

export function formOf(array: NumberArray): "fixed-size-list" | "columns" {
  return array.shape.length === 1 || isByColumns(array)
    ? "columns"
    : "fixed-size-list";
}

/** With one row, or none, both orders are the same. */
export function isByColumns({ fortran, shape }: NumberArray): boolean {
  return fortran && shape.length > 1 && (shape[0] as number) > 1;
}

export function checkColumns(path: string, array: NumberArray): void {
  const columns = valuesOf(array.shape.slice(1)) as number;
  if (isByColumns(array) && columns > MAX_FORTRAN_COLUMNS)
    throw new InputUnsupportedError(
      path,
      whereOf(array),
      `expected at most ${MAX_FORTRAN_COLUMNS} values per row in Fortran order, found ${columns}: save it in C order`,
    );
}

/** Where the values start: in Fortran order, each of a row's values (counted in C order) has a column of its own. */
export function startsOf(
  array: NumberArray,
  start: number,
  form: "fixed-size-list" | "columns",
): number[] {
  if (form === "fixed-size-list") return [start];
  const [rows = 0, ...inner] = array.shape;
  const columnBytes = rows * numberWidth(array.type);
  const count = valuesOf(inner) as number;
  return Array.from(
    { length: count },
    (_, k) => start + columnBytes * fortranPlace(k, inner),
  );
}

/** The place in Fortran order of the k-th value in C order. */
function fortranPlace(k: number, shape: readonly number[]): number {
  let rest = k;
  let place = 0;
  for (const length of [...shape].reverse()) {
    place = place * length + (rest % length);
    rest = Math.floor(rest / length);
  }
  return place;
}
