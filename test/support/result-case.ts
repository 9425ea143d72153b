import type { Decimal } from "decimal.js";
import { sum, type Truth } from "./truth.js";

/** Value; null is -inf. */
export type Value = Decimal | null;

/** Result with its true values in 80 digits; errors are relative to `scale`, or else to the values. */
export interface ResultCase {
  name: string;
  code: number;
  input?: (Q: number, draw: () => number) => number[];
  param?: (Q: number) => number;
  truth(row: Truth, input: number[], param: number): Value[];
  scale?(row: Truth, input: number[], param: number): Decimal[];
}

export const at = (values: Decimal[], k: number) => values[k] as Decimal;
export const classesOf = ({ p }: Truth) => p.map((_, k) => k);
/** Returns all entries of a block, row-major. */
export const square = (row: Truth, entry: (i: number, j: number) => Decimal) =>
  classesOf(row).flatMap((i) => classesOf(row).map((j) => entry(i, j)));
export const vector = (Q: number, draw: () => number) =>
  Array.from({ length: Q }, draw);
/** Returns the sum, as a result of one value. */
export const total = (values: Decimal[]) => [sum(values)];
