import type { Decimal } from "decimal.js";
import { sum, type Truth } from "./truth.js";

/** null: -inf. */
export type Value = Decimal | null;

/** A result: its true values, and what its errors are relative to where not to the value, in 80 digits. */
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
/** All entries of a block, row-major. */
export const square = (row: Truth, entry: (i: number, j: number) => Decimal) =>
  classesOf(row).flatMap((i) => classesOf(row).map((j) => entry(i, j)));
export const vector = (Q: number, draw: () => number) =>
  Array.from({ length: Q }, draw);
/** A result that is one value. */
export const total = (values: Decimal[]) => [sum(values)];
