import type { RowAxes } from "../results/row-axes.js";
import { indexOfRow, nameOfRow } from "../results/row-indices.js";
import type { StoredRun } from "../results/run-metadata.js";

/** Parts that the checks of a file share. */
export interface CheckContext {
  run: StoredRun;
  problems: Problems;
}

/** More of them tell nothing new. */
const MAX_LISTED = 20;

/** Problems that a verification finds, one sentence each; beyond the first twenty only their number. */
export class Problems {
  readonly list: string[] = [];
  others = 0;

  constructor(private readonly axes: RowAxes) {}

  add(sentence: string): void {
    if (this.list.length < MAX_LISTED) this.list.push(sentence);
    else this.others++;
  }

  /** Adds a problem of a row of the input. */
  addToRow(row: number, text: string): void {
    this.add(`${nameOfRow(this.axes, row)}: ${text}`);
  }

  /** Returns the index of a row along the first axis of the input. */
  firstIndex(row: number): number {
    return indexOfRow(this.axes, row)[0] as number;
  }
}
