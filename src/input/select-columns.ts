import type { Field } from "../arrow/field.js";
import { positionNames } from "../printable.js";
import { valuesOf } from "../results/catalogue.js";
import type { Partition } from "../results/run-metadata.js";
import { classesOfCodes, partitionField } from "./class-decoder.js";
import { copiedIndices, namedColumns } from "./column-names.js";
import {
  type CopiedColumn,
  constantColumn,
  copiedColumn,
} from "./copied-columns.js";
import { selectLogits } from "./logits-column.js";
import type { OpenOptions } from "./logits-file.js";
import {
  asDecoded,
  decodedColumn,
  type LogitsColumn,
  type NumberColumn,
} from "./number-column.js";
import type { ColumnSpan } from "./record-batch.js";
import {
  type ArrowContainer,
  type ColumnPath,
  recordBatches,
} from "./record-batches.js";
import { selectValues, type ValueColumn } from "./value-column.js";

/** Columns that a run reads. */
export interface SelectedColumns {
  logits: LogitsColumn;
  inputs: ValueColumn[];
  copied: CopiedColumn[];
  /** Indices of these columns in `fields`. */
  indices: number[];
  /** Fields of the file, then the fields of structs that options name, renamed to their dotted names. */
  fields: Field[];
  /** Paths of the latter. */
  nested: ColumnPath[];
}

/**
 * Selects the columns that options name among those of a file, the fields of structs, and partitions.
 * @throws LogitsColumnError, InputUnsupportedError; UsageError if `keep` names a column twice
 */
export function selectColumns(
  path: string,
  fileFields: Field[],
  options: OpenOptions,
): SelectedColumns {
  const { keep, partitions, pad } = options;
  const nested = nestedColumns(fileFields, options);
  const fields = [...fileFields, ...nested.map(({ field }) => field)];
  const columns = withPartitions(fields, partitions);
  const copyable = withPartitions(fileFields, partitions);
  const selected = selectLogits(path, fields, options);
  // Lists of different lengths cannot be read in place.
  const logits =
    pad && selected.values === null ? asDecoded(selected) : selected;
  const { nesting } = logits;
  const positions = nesting ? positionNames(nesting.axes ?? [0]) : [];
  const ownNames = [...options.ownNames, ...positions];
  const inputs = options.inputs.map(({ option, name }) => {
    // Partitions have classes and groups, but no features or weights.
    const isOfFile = option === "features" || option === "weight";
    const among = isOfFile ? fields : columns;
    const column = selectValues(path, among, option, name, !!nesting);
    const partition = columns[column.columns[0] ?? 0]?.partition;
    if (partition)
      return { ...column, ...decodedColumn(name, [], 1), partition };
    const isCoded =
      valuesOf(option) === "class" && classesOfCodes(options.classNames);
    return isCoded ? asDecoded(column) : column;
  });
  const named = namedColumns(path, copyable);
  const copied = copiedIndices(named, keep, ownNames).map((index) => {
    const { partition, ...field } = copyable[index] as PartitionedField;
    const column = copiedColumn(path, field, index);
    return partition ? constantColumn(column, partition) : column;
  });
  const indices = new Set([
    ...[logits, ...inputs].flatMap(({ columns }) => columns),
    ...copied.flatMap(({ index, constant }) => (constant ? [] : [index])),
  ]);
  return {
    ...{ logits, inputs, copied, indices: [...indices], fields },
    nested: nested.map(({ path }) => path),
  };
}

/** Field of a file, or of a partition. */
type PartitionedField = Field & { partition?: Partition };

/** Returns the fields of a file, then those of its partitions. A column takes precedence over a partition of its name. */
function withPartitions(
  fields: readonly Field[],
  partitions: readonly Partition[] = [],
): PartitionedField[] {
  const others = partitions.filter(
    ({ name }) => !fields.some((field) => field.name === name),
  );
  return [
    ...fields,
    ...others.map((partition) => ({ ...partitionField(partition), partition })),
  ];
}

// Struct fields named with dots (out.logits) are read as additional columns after those of the file.

/** Field of a struct, renamed to its dotted name. */
interface NestedColumn {
  field: Field;
  path: ColumnPath;
}

/** Finds the struct fields that options name. A column of the same name takes precedence. */
function nestedColumns(
  fields: readonly Field[],
  { column, features, inputs }: OpenOptions,
): NestedColumn[] {
  const ofInputs = inputs.map(({ name }) => name);
  const names = new Set([column ?? "", features ?? "", ...ofInputs]);
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

/** Returns the column, or a decoded one if a struct around it is null in a row. */
export function readableColumn<Column extends NumberColumn>(
  container: ArrowContainer,
  column: Column,
): Column {
  const { schema, nested } = container;
  const fileColumns = schema.fields.length - nested.length;
  const isOfFile = column.columns.every((index) => index < fileColumns);
  if (column.isDecoded || isOfFile) return column;
  for (const { batch, columns } of recordBatches(container))
    for (const index of column.columns)
      for (const { node } of (columns[index] as ColumnSpan).parents)
        if (batch.nodes[node]?.nullCount) return asDecoded(column);
  return column;
}
