import type { CallReport } from "../io/report-clock.js";
import type { RowSums } from "./sum-inputs.js";

/** Fields that the reports of `reduce` and `effects` have in common. */
export interface SumsReport extends CallReport {
  inputs: readonly string[];
  /** Number of rows of the inputs. */
  rows: number;
  /** Rows that are in no sum, and the first of them. */
  badRows: number;
  firstBadRow: { input: string; row: number } | null;
  classes: number;
  /** Names of the features, with `(intercept)`. */
  terms: readonly string[];
  groups: number;
  threads: number;
  outputBytes: number;
}

/** Fields of a report before there are sums. */
export const NO_SUMS = {
  ...{ rows: 0, badRows: 0, firstBadRow: null, classes: 0, terms: [] },
  ...{ groups: 0, threads: 0, outputBytes: 0 },
};

/** Sets the fields of a report that sums have. */
export function reportSums(report: SumsReport, sums: RowSums): void {
  const { shape, groups, rows, badRows, firstBadRow, threads } = sums;
  const { classes, terms } = shape;
  Object.assign(report, { rows, badRows, firstBadRow, classes, terms });
  Object.assign(report, { groups: groups.size, threads });
}
