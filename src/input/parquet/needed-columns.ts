import type { Field } from "../../arrow/field.js";
import type { ColumnPath } from "../column-spans.js";
import { selectKept } from "../kept-columns.js";
import { selectLogits } from "../logits-column.js";
import type { OpenOptions } from "../logits-file.js";
import { nestedColumns } from "../nested-columns.js";
import { withPartitions } from "../partitions.js";
import { selectValues } from "../value-column.js";

/**
 * Paths of the columns that a run reads: no others are decoded.
 * @throws LogitsColumnError, InputUnsupportedError
 */
export function neededColumns(
  path: string,
  fields: Field[],
  options: OpenOptions,
): ColumnPath[] {
  const { keep, ownNames, inputs, partitions } = options;
  const nested = nestedColumns(fields, options);
  const all = [...fields, ...nested.map(({ field }) => field)];
  const paths = [...fields.map((_, k) => [k]), ...nested.map((n) => n.path)];
  const columns = withPartitions(all, partitions);
  const needed = [
    selectLogits(path, all, options),
    ...inputs.map(({ option, name }) =>
      selectValues(path, columns, option, name),
    ),
  ].flatMap(({ columns }) => columns.filter((place) => place < all.length));
  const copyable = withPartitions(fields, partitions);
  const kept = selectKept(path, copyable, keep, ownNames)
    .map(({ place }) => place)
    .filter((place) => place < fields.length);
  return [...needed, ...kept].map((place) => paths[place] as ColumnPath);
}
