/** Storage of rows of numbers in a file: fixed-size lists, lists with offsets (int32 or int64), a struct of Q numbers, or Q columns. */
export type ColumnStorage =
  | "fixed-size-list"
  | "list"
  | "large-list"
  | "struct"
  | "columns";

/** Bytes of an offset; 0 where there are none. */
export function offsetWidth(form: ColumnStorage): 0 | 4 | 8 {
  if (form === "list") return 4;
  return form === "large-list" ? 8 : 0;
}

/** Whether every class has values of its own, row after row. */
export function isSeparate(form: ColumnStorage): boolean {
  return form === "struct" || form === "columns";
}

/** Positions of the buffers of a column of numbers; 0 for a buffer that does not exist. */
export interface ValueBuffers {
  /** Row of the buffers that is the first of the rows. */
  firstRow: number;
  /** Start of the values: one buffer, or one per class. */
  values: number[];
  /** Start of the offsets of lists, and number of values in the values buffer. */
  offsets: number;
  valueCount: number;
  /** Start of the validity bitmap of the rows. */
  validity: number;
  /** Starts of the validity bitmaps of the values, one per buffer. */
  valueValidity: number[];
}

/** Rows `[rowStart, rowEnd)` of a file in one record batch: values (except of lists) and offsets start at its first row, bitmaps do not. */
export interface SourceRange extends ValueBuffers {
  rowStart: number;
  rowEnd: number;
}
