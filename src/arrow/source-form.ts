/** Storage of rows of numbers in a file: fixed-size lists, lists with offsets (int32 or int64), a struct of Q numbers, or Q columns. */
export type SourceForm =
  | "fixed-size-list"
  | "list"
  | "large-list"
  | "struct"
  | "columns";

/** Bytes of an offset; 0 where there are none. */
export function offsetWidth(form: SourceForm): 0 | 4 | 8 {
  if (form === "list") return 4;
  return form === "large-list" ? 8 : 0;
}

/** Whether every class has values of its own, row after row. */
export function isSeparate(form: SourceForm): boolean {
  return form === "struct" || form === "columns";
}
