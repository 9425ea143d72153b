import type { ArrowContainer } from "./arrow-container.js";
import type { KeptColumn } from "./kept-columns.js";
import type { LogitsColumn } from "./logits-column.js";
import { nestingOf, rowBounds } from "./nested-rows.js";
import { decodedColumn, type NumberColumn } from "./number-column.js";
import { recordBatches } from "./record-batches.js";

/** Copied column, and the lists that its values are in, if they are matched with the rows of the logits. */
export interface MatchedColumn {
  column: KeptColumn;
  list: { node: KeptColumn; rows: NumberColumn } | null;
}

/**
 * Returns how a column beside nested logits is copied: the values of its lists one by one, if each table row has as many of
 * them as the logits have rows; else the value of the table row for each of its rows.
 * @throws InputFormatError for offsets that cannot be
 */
export function matchedColumn(
  file: ArrowContainer,
  column: KeptColumn,
  logits: LogitsColumn,
): MatchedColumn {
  const { place, name, constant } = column;
  const [child] = column.children;
  const field = file.schema.fields[place];
  const nesting = field && !constant ? nestingOf(field) : null;
  if (!child || !nesting?.isChild) return { column, list: null };
  const rows = { ...decodedColumn(name, [place], 1), nesting };
  for (const record of recordBatches(file)) {
    const { counts } = rowBounds(file, record, logits);
    const own = rowBounds(file, record, rows).counts;
    if (counts.some((count, k) => count !== own[k]))
      return { column, list: null };
  }
  const values = { ...child.field, name, nullable: true };
  return {
    column: { ...child, name, place, field: values },
    list: { node: column, rows },
  };
}
