/**
 * Storage of rows of numbers in a file: fixed-size lists, lists with offsets (int32 or int64), lists with offsets and sizes
 * in any order, a struct of Q numbers, or Q columns.
 */
export type SourceForm =
  | "fixed-size-list"
  | "list"
  | "large-list"
  | "list-view"
  | "large-list-view"
  | "struct"
  | "columns";

/** Bytes of an offset (and of a size); 0 where there are none. */
export function offsetWidth(form: SourceForm): 0 | 4 | 8 {
  switch (form) {
    case "list":
    case "list-view":
      return 4;
    case "large-list":
    case "large-list-view":
      return 8;
    default:
      return 0;
  }
}

/** Whether lists have sizes beside their offsets. */
export function isView(form: SourceForm): boolean {
  return form === "list-view" || form === "large-list-view";
}

/** Whether every class has values of its own, row after row. */
export function isSeparate(form: SourceForm): boolean {
  return form === "struct" || form === "columns";
}
