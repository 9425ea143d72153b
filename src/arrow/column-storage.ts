/** Storage of rows of numbers in a file: fixed-size lists, lists with int32 or int64 offsets, a struct of Q numbers, or Q columns. */
export type ColumnStorage =
  | "fixed-size-list"
  | "list"
  | "large-list"
  | "struct"
  | "columns";

/** Returns the bytes per offset; 0 if the storage has no offsets. */
export function offsetWidth(storage: ColumnStorage): 0 | 4 | 8 {
  if (storage === "list") return 4;
  return storage === "large-list" ? 8 : 0;
}

/** Returns whether each class has its own values buffer. */
export function isSeparate(storage: ColumnStorage): boolean {
  return storage === "struct" || storage === "columns";
}

/** Byte offsets of the buffers of a column of numbers; 0 for a buffer that does not exist. */
export interface ValueBuffers {
  /** Row of the buffers at which the described rows start. */
  firstRow: number;
  /** Start of the values: one buffer, or one per class. */
  values: number[];
  /** Start of the offsets of lists. */
  offsets: number;
  /** Number of values in the values buffer of lists. */
  valueCount: number;
  /** Start of the validity bitmap of the rows. */
  validity: number;
  /** Starts of the validity bitmaps of the values, one per buffer. */
  valueValidity: number[];
}

/** Rows `[rowStart, rowEnd)` in one record batch. `offsets`, and `values` except of lists, start at row `rowStart`; bitmaps start at the batch. */
export interface SourceRange extends ValueBuffers {
  rowStart: number;
  rowEnd: number;
}
