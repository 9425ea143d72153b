import type { BlockResult } from "../reader/block-result.js";
import type { Layout } from "../results/catalogue.js";

/** What an output has of one row. */
export interface ShownRow {
  /** The file; of a dataset the part. */
  path: string;
  row: number;
  /** The input that the row is of, where it is of a dataset. */
  input: string | null;
  /** M and Q of the logits. */
  rows: number;
  classes: number;
  layout: Layout;
  dtype: "float32" | "float64";
  temperature: number;
  /** Kept columns, and results of one value, as text; null: null. */
  columns: { name: string; value: string | null }[];
  /** It has no results: a bad row. */
  isNull: boolean;
  /** 1 - the largest p, without cancellation; null: the output does not tell. */
  uncertainty: number | null;
  /** Classes of `p` and `block`: all in order, or those of the largest p, the largest first. */
  shown: number[];
  /** `[shown]`; null: the output does not tell. */
  p: number[] | null;
  /** Sum of p over the classes that are not shown. */
  restOfP: number | null;
  /** Which block. */
  result: BlockResult | null;
  /** Where the block is from: the output's own, or made of p. */
  blockFrom: "output" | "p" | null;
  /** `[shown, shown]`, i the input, j the output; null inside: the layout leaves the entry out. */
  block: (number | null)[][] | null;
}
