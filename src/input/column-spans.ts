import { buffersOf, type Field, storedType } from "../arrow/field.js";
import { withoutViews } from "../arrow/views.js";

/** Where a column's field nodes and buffers stand in the flat lists of a record batch (pre-order, as the format says). */
export interface ColumnSpan {
  field: Field;
  node: number;
  buffer: number;
  /** Buffers of its own, children not counted. */
  buffers: number;
  children: ColumnSpan[];
  /** Structs around a nested column, the outermost first. */
  parents: ColumnSpan[];
}

/** Path of a column, or of a field of a struct: indices of children, from the schema's root down. */
export type ColumnPath = readonly number[];

export interface SchemaSpans {
  columns: ColumnSpan[];
  nodes: number;
  buffers: number;
  /** Columns of view types, nested ones included: as many variadic counts a batch has. */
  views: number;
}

/**
 * Spans of all columns, nested ones included.
 * @param variadicCounts those of the batch (view types only)
 * @param isV4 whether the metadata has version V4, in which unions had validity bitmaps
 */
export function columnSpans(
  fields: Field[],
  variadicCounts: number[],
  isV4 = false,
): SchemaSpans {
  let nodes = 0;
  let buffers = 0;
  let views = 0;
  const span = (field: Field): ColumnSpan => {
    const type = storedType(field);
    const data = withoutViews(type) ? (variadicCounts[views++] ?? 0) : 0;
    const hasBitmap = isV4 && type.kind === "Union";
    const own = {
      field,
      node: nodes,
      buffer: buffers,
      buffers: buffersOf(type).length + data + (hasBitmap ? 1 : 0),
    };
    nodes += 1;
    buffers += own.buffers;
    const children = field.dictionary ? [] : field.children.map(span);
    return { ...own, children, parents: [] };
  };
  const columns = fields.map(span);
  return { columns, nodes, buffers, views };
}

/** Span of a field of a struct, as the column `field`. */
export function nestedSpan(
  columns: readonly ColumnSpan[],
  path: ColumnPath,
  field: Field,
): ColumnSpan {
  const parents: ColumnSpan[] = [];
  let children = columns;
  for (const child of path) {
    const span = children[child] as ColumnSpan;
    parents.push(span);
    children = span.children;
  }
  const span = parents.pop() as ColumnSpan;
  return { ...span, field, parents };
}
