import type { RowAxes } from "../results/row-axes.js";
import { indexOfRow, nameOfRow } from "../results/row-indices.js";
import type { StoredRun } from "../results/run-metadata.js";

/** Report on the values of an output. Errors are in ε of the type: 2^-52 for float64, 2^-23 for float32, 1 for int32. */
export interface ValueReport {
  /** Rows of the input. */
  rows: number;
  rowsChecked: number;
  /** Number of checked rows without results. */
  badRows: number;
  columns: ColumnReport[];
  /** Names of the copied columns, whose values were not compared. */
  notCompared: string[];
  /** Descriptions of the first 20 errors. */
  problems: string[];
  /** Number of further errors. */
  otherProblems: number;
  ok: boolean;
}

/** Errors of one column of results against the reference. */
export interface ColumnReport {
  name: string;
  /** Number of values compared. */
  values: number;
  /** Largest error in ε; Infinity if a value is NaN or infinite and should not be. */
  maxError: number;
  /** Row of the largest error; null if nothing was compared. */
  row: number | null;
  /** Index of its value in the row, i·Q + j for entries. */
  position: number | null;
  /** Mean relative error in percent, with 1e-32 added to both numbers (see `relativeErrorPercent`). */
  meanRelativeErrorPercent: number;
  /** Bound on the error in ε: that of docs/results.md, for float32 with half an ulp for rounding. */
  bound: number;
  ok: boolean;
}

/** Context that all checks of a file share. */
export interface CheckContext {
  run: StoredRun;
  problems: Problems;
}

const MAX_LISTED = 20;

/** Problems of an output: the first 20 as sentences, and the number of further ones. */
export class Problems {
  readonly list: string[] = [];
  others = 0;

  constructor(private readonly axes: RowAxes) {}

  add(sentence: string): void {
    if (this.list.length < MAX_LISTED) this.list.push(sentence);
    else this.others++;
  }

  addToRow(row: number, text: string): void {
    this.add(`${nameOfRow(this.axes, row)}: ${text}`);
  }

  /** Returns the index of a row of the input along the first axis. */
  firstIndex(row: number): number {
    return indexOfRow(this.axes, row)[0] as number;
  }
}
