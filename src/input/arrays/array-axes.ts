import { numberWidth } from "../../arrow/field.js";
import type { NumberArray } from "./stored-array.js";

/** Axis of an array. The stride is in values, not bytes; it is 0 for an axis that repeats each value. */
export interface Axis {
  length: number;
  stride: number;
}

/** Array interpreted as rows of numbers. */
export interface ArrayRows extends NumberArray {
  rows: number;
  /** Numbers per row. */
  values: number;
  /** Axes of the rows and of the numbers in a row: joined where possible, slowest first. */
  rowAxes: readonly Axis[];
  valueAxes: readonly Axis[];
}

/**
 * Interprets an array as rows: the axes `inRow` hold the numbers of a row, and all other axes, in order, are the rows.
 * @param repeats number of consecutive rows with the same numbers
 */
export function rowsOf(
  array: NumberArray,
  inRow: readonly number[],
  repeats = 1,
): ArrayRows {
  const { shape, fortran } = array;
  const axes: Axis[] = [];
  let stride = 1;
  for (const k of fortran ? shape.keys() : [...shape.keys()].reverse()) {
    const length = shape[k] as number;
    axes[k] = { length, stride };
    stride *= length;
  }
  const isInRow = (_: Axis, k: number) => inRow.includes(k);
  const outer = axes.filter((axis, k) => !isInRow(axis, k));
  outer.push({ length: repeats, stride: 0 });
  const values = axes.filter(isInRow);
  return {
    ...array,
    rows: outer.reduce((product, { length }) => product * length, 1),
    values: values.reduce((product, { length }) => product * length, 1),
    rowAxes: joinAxes(outer),
    valueAxes: joinAxes(values),
  };
}

/** Joins axes whose values are contiguous, and drops axes of length 1. */
export function joinAxes(axes: readonly Axis[]): Axis[] {
  const joined: Axis[] = [];
  for (const { length, stride } of axes) {
    const last = joined.at(-1);
    if (length > 1 && last?.stride === stride * length)
      joined[joined.length - 1] = { length: last.length * length, stride };
    else if (length !== 1) joined.push({ length, stride });
  }
  return joined;
}

/** Storage of array rows that are read in place, in order of preference. */
const STORAGES = ["fixed-size-list", "columns"] as const;
export type ArrayStorage = (typeof STORAGES)[number];

/** Maximum number of columns read in place, because messages to workers list the start of each; more are decoded. */
const MAX_COLUMNS = 1 << 20;

/** Returns the storage in which all arrays can be read in place; null if they must be decoded. */
export function storageInPlace(
  arrays: readonly ArrayRows[],
): ArrayStorage | null {
  const storage = STORAGES.find((storage) =>
    arrays.every((array) => fits(array, storage)),
  );
  return arrays.some(({ coding }) => coding && coding !== "boolean")
    ? null
    : (storage ?? null);
}

function fits(
  { rows, values, rowAxes, valueAxes }: ArrayRows,
  storage: ArrayStorage,
): boolean {
  const isColumns = storage === "columns";
  if (isColumns && (values > MAX_COLUMNS || valueAxes.length > 1)) return false;
  const [axis, ...others] = isColumns
    ? rowAxes
    : joinAxes([...rowAxes, ...valueAxes]);
  return (
    rows * values === 0 || (others.length === 0 && (axis?.stride ?? 1) === 1)
  );
}

/** Returns the byte offsets of the first row: one for fixed-size lists, otherwise one per column. */
export function startsOf(
  { type, values, valueAxes }: ArrayRows,
  start: number,
  storage: ArrayStorage,
): number[] {
  if (storage === "fixed-size-list") return [start];
  const step = numberWidth(type) * (valueAxes[0]?.stride ?? 0);
  return Array.from({ length: values }, (_, k) => start + k * step);
}
