import { UsageError } from "../errors.js";
import type { RunOptions } from "../options.js";
import { shortValue } from "../printable.js";

/** What is compared with what. Names of columns are those of the input, as in RunOptions. */
export interface ValueOptions
  extends Pick<
    RunOptions,
    | "column"
    | "columns"
    | "classAxis"
    | "binary"
    | "pad"
    | "classColumn"
    | "label"
    | "classNames"
    | "cotangent"
    | "tangent"
    | "covariance"
    | "nullLogit"
    | "allowMissingEos"
  > {
  /** Path of a file that softjac has written. */
  output: string;
  /** Path of the file that it was made of. */
  input: string;
  /** All rows, or how many: the first, the last and a random choice of the others. */
  rows: "all" | number;
  /** Of the random choice; default 0. */
  seed?: number | undefined;
  /** Factor on the bounds of errors; default 1. */
  tolerance?: number | undefined;
}

export interface VerifyHooks {
  signal?: AbortSignal | undefined;
  /** Called now and then with the rows that are done, and how many there are to do. */
  onProgress?: ((rowsDone: number, rows: number) => void) | undefined;
}

/** @throws UsageError */
export function checkValueOptions({
  column,
  columns,
  rows,
  seed = 0,
  tolerance = 1,
}: ValueOptions): void {
  if (column !== undefined && columns !== undefined)
    throw new UsageError("column, columns: give only one of them", "columns");
  if (rows !== "all" && !(Number.isSafeInteger(rows) && rows >= 1))
    throw new UsageError(
      `rows: expected all or a whole number from 1, found ${shortValue(rows)}`,
      "rows",
    );
  if (!(Number.isSafeInteger(seed) && seed >= 0))
    throw new UsageError(
      `seed: expected a whole number from 0, found ${shortValue(seed)}`,
      "seed",
    );
  if (!(tolerance > 0 && tolerance < Infinity))
    throw new UsageError(
      `tolerance: expected a number above 0, found ${shortValue(tolerance)}`,
      "tolerance",
    );
}
