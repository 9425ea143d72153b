import type { BlockResult } from "../reader/block-result.js";
import type { Layout } from "../results/catalogue.js";

/** What a file of results has of one row. */
export interface ShownRow {
  /** The file, of a dataset the part. */
  path: string;
  row: number;
  /** The input that the row is of, where a dataset has several. */
  input: string | null;
  /** Of the logits. */
  rows: number;
  classes: number;
  layout: Layout;
  dtype: "float32" | "float64";
  temperature: number;
  /** Kept columns; null: null. */
  kept: { name: string; value: string | null }[];
  /** Results of one value: doubt, entropy and their like; null: null. */
  numbers: { name: string; value: number | null }[];
  /** It has no results: a bad row. */
  isNull: boolean;
  /** Classes of `p` and `block`: all in order, or those of the largest p, the largest first. */
  shown: number[];
  /** `[shown]`; null: the file does not have it. */
  p: number[] | null;
  /** Sum of p over the classes that are not shown. */
  restOfP: number | null;
  /** Which block; null: the file has none. */
  result: BlockResult | null;
  /** `[shown, shown]`, i the input, j the output; null inside: the layout leaves it out. */
  block: (number | null)[][] | null;
}
