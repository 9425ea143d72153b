import type { RowAxes } from "../results/row-axes.js";
import { indexOfRow, nameOfRow } from "../results/row-indices.js";
import type { StoredRun } from "../results/run-metadata.js";

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
