import type { Field } from "../arrow/field.js";
import type { OpenOptions } from "./logits-file.js";
import { asDecoded, type NumberColumn } from "./number-column.js";
import type { ColumnSpan } from "./record-batch.js";
import {
  type ArrowContainer,
  type ColumnPath,
  recordBatches,
} from "./record-batches.js";

// Struct fields named with dots (out.logits) are read as additional columns after those of the file.

/** Field of a struct, renamed to its dotted name. */
export interface NestedColumn {
  field: Field;
  path: ColumnPath;
}

type Names = Pick<OpenOptions, "column" | "features" | "inputs">;

/** Finds the struct fields that options name. A column of the same name takes precedence. */
export function nestedColumns(
  fields: readonly Field[],
  { column, features, inputs }: Names,
): NestedColumn[] {
  const names = new Set([
    column ?? "",
    features ?? "",
    ...inputs.map(({ name }) => name),
  ]);
  return [...names]
    .filter((name) => !fields.some((field) => field.name === name))
    .flatMap((name) => fieldsNamed(fields, name, name, []));
}

function fieldsNamed(
  fields: readonly Field[],
  rest: string,
  name: string,
  path: ColumnPath,
): NestedColumn[] {
  return fields.flatMap((field, k) => {
    const here = [...path, k];
    if (field.name === rest) return [{ field: { ...field, name }, path: here }];
    const { type, dictionary, children } = field;
    return type.kind === "Struct" &&
      !dictionary &&
      rest.startsWith(`${field.name}.`)
      ? fieldsNamed(children, rest.slice(field.name.length + 1), name, here)
      : [];
  });
}

/** Returns the container with the struct fields that options name added as columns. */
export function withNestedColumns(
  container: ArrowContainer,
  names: Names,
): ArrowContainer {
  const { schema } = container;
  const nested = nestedColumns(schema.fields, names);
  return {
    ...container,
    nested: nested.map(({ path }) => path),
    schema: {
      ...schema,
      fields: [...schema.fields, ...nested.map(({ field }) => field)],
    },
  };
}

/** Returns the column, or a decoded one if a struct around it is null in a row. */
export function readableColumn<Column extends NumberColumn>(
  container: ArrowContainer,
  column: Column,
): Column {
  return column.isDecoded || !hasNullParents(container, column.columns)
    ? column
    : asDecoded(column);
}

function hasNullParents(
  container: ArrowContainer,
  indices: readonly number[],
): boolean {
  const fileColumns = container.schema.fields.length - container.nested.length;
  if (indices.every((index) => index < fileColumns)) return false;
  for (const { batch, columns } of recordBatches(container))
    for (const index of indices)
      for (const { node } of (columns[index] as ColumnSpan).parents)
        if (batch.nodes[node]?.nullCount) return true;
  return false;
}
