/** What verifyValues has found. Errors are in ε of the column's type: 2^-52, 2^-23 for float32; whole numbers: in ones. */
export interface ValueReport {
  /** Rows of the input. */
  rows: number;
  rowsChecked: number;
  /** Rows without results among those checked. */
  badRows: number;
  columns: ColumnReport[];
  laws: LawReport[];
  /** Names of columns whose values were not compared: copies of the input's columns. */
  notCompared: string[];
  /** At most twenty sentences: what was expected, what was found, where. */
  findings: string[];
  /** How many more there were. */
  otherFindings: number;
  ok: boolean;
}

/** The errors of one column of results against the reference. */
export interface ColumnReport {
  name: string;
  /** How many were compared. */
  values: number;
  /** The largest error; Infinity for one that is no number where there should be one. */
  maxError: number;
  /** The row of the largest error and the value's place in that row (entries: i·Q + j); null where nothing was compared. */
  row: number | null;
  position: number | null;
  /** As the notebook has it, 1e-32 added to both numbers. */
  meanRelativeErrorPercent: number;
  /** What errors may be: the promise of docs/results.md, and half a last place for float32. */
  bound: number;
  ok: boolean;
}

/** How far the stored values are from what must hold of them, in ε of the sizes of the terms. */
export interface LawReport {
  name: string;
  worst: number;
  ok: boolean;
}
