import type { BlockResult } from "../reader/block-form.js";
import type { Layout } from "../results/catalogue.js";

/** One row of an output. */
export interface ShownRow {
  /** Path of the file, or of the shard of a dataset. */
  path: string;
  row: number;
  /** Positions of the row along further axes; empty for rows of one axis. */
  positions: readonly number[];
  /** Input of the row in a dataset; null for a file. */
  input: string | null;
  /** Number of rows and classes of the logits. */
  rows: number;
  classes: number;
  layout: Layout;
  dtype: "float32" | "float64";
  temperature: number;
  /** Copied columns and results with one value, as text. */
  columns: { name: string; value: string | null }[];
  /** Whether the row is a bad row, without results. */
  isNull: boolean;
  /** Uncertainty 1 - max p, without cancellation; null if the output does not determine it. */
  uncertainty: number | null;
  /** Classes of `p` and `block`: all in order, or those with the largest p in decreasing order. */
  shown: number[];
  /** Probabilities of the shown classes, `[shown]`; null if the output does not determine them. */
  p: number[] | null;
  /** Sum of p over the classes that are not shown. */
  restOfP: number | null;
  /** Function whose block is shown. */
  result: BlockResult | null;
  /** Origin of the block: stored in the output, or computed from p. */
  blockFrom: "output" | "p" | null;
  /** Block of the shown classes, `[shown, shown]`: i is the input, j the output; null for an entry that is not stored. */
  block: (number | null)[][] | null;
}
