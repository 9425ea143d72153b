import { numberWidth } from "../../arrow/field.js";
import type { NumberArray } from "./stored-array.js";

/** Axis of an array; the stride counts values, not bytes, and is 0 along an axis that repeats each value. */
export interface Axis {
  length: number;
  stride: number;
}

/** Array as rows of numbers. */
export interface ArrayRows extends NumberArray {
  rows: number;
  /** Numbers per row. */
  values: number;
  /** Axes of the rows, and of the numbers of a row, the slowest first, as few as possible. */
  rowAxes: readonly Axis[];
  valueAxes: readonly Axis[];
}

/**
 * Returns an array as rows of the numbers along the axes `inRow`; all other axes are rows, in their order.
 * @param repeats how many rows have the same numbers
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
  const own = axes.filter((axis, k) => !isInRow(axis, k));
  own.push({ length: repeats, stride: 0 });
  const values = axes.filter(isInRow);
  return {
    ...array,
    rows: own.reduce((product, { length }) => product * length, 1),
    values: values.reduce((product, { length }) => product * length, 1),
    rowAxes: joinAxes(own),
    valueAxes: joinAxes(values),
  };
}

/** Joins axes whose values follow one another without a gap, and drops those of length 1. */
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

/** Forms in which rows of arrays are read in place. */
const FORMS = ["fixed-size-list", "columns"] as const;
export type ArrayForm = (typeof FORMS)[number];

/** Messages to workers have the start of each column: arrays of more are decoded. */
const MAX_COLUMNS = 1 << 20;

/** Returns the form in which all of these arrays can be read in place; null if they must be decoded. */
export function formInPlace(arrays: readonly ArrayRows[]): ArrayForm | null {
  const form = FORMS.find((form) => arrays.every((one) => fits(one, form)));
  return arrays.some(({ coding }) => coding) ? null : (form ?? null);
}

function fits(
  { rows, values, rowAxes, valueAxes }: ArrayRows,
  form: ArrayForm,
): boolean {
  const isColumns = form === "columns";
  if (isColumns && (values > MAX_COLUMNS || valueAxes.length > 1)) return false;
  const [axis, ...more] = isColumns
    ? rowAxes
    : joinAxes([...rowAxes, ...valueAxes]);
  return (
    rows * values === 0 || (more.length === 0 && (axis?.stride ?? 1) === 1)
  );
}

/** Returns the byte offsets of the first row: one for a fixed-size list, else one per column. */
export function startsOf(
  { type, values, valueAxes }: ArrayRows,
  start: number,
  form: ArrayForm,
): number[] {
  if (form === "fixed-size-list") return [start];
  const step = numberWidth(type) * (valueAxes[0]?.stride ?? 0);
  return Array.from({ length: values }, (_, k) => start + k * step);
}
