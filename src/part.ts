import type { LogitsFile } from "./input/logits-file.js";

/** Rows `[rowStart, rowEnd)` of an input: what a run is over that makes a part of a dataset. */
export interface Part {
  rowStart: number;
  rowEnd: number;
}

/** The rows that a run is over: all of its input's, or the part's. */
export function rowsOf(
  part: Part | null,
  logits: Pick<LogitsFile, "rows">,
): { rowStart: number; rows: number } {
  return part
    ? { rowStart: part.rowStart, rows: part.rowEnd - part.rowStart }
    : { rowStart: 0, rows: logits.rows };
}
