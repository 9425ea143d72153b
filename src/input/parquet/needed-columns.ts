import type { Field } from "../../arrow/field.js";
import { selectKept } from "../kept-columns.js";
import { selectLogits } from "../logits-column.js";
import type { OpenOptions } from "../logits-file.js";
import { selectValues } from "../value-column.js";
import type { ColumnPath } from "./column-paths.js";

/**
 * Paths of the columns that a run reads, in the file's order: no others are decoded.
 * @throws LogitsColumnError, InputUnsupportedError
 */
export function neededColumns(
  path: string,
  fields: Field[],
  options: OpenOptions,
): ColumnPath[] {
  const { keep, ownNames, inputs } = options;
  const needed = [
    selectLogits(path, fields, options),
    ...inputs.map(({ option, name }) =>
      selectValues(path, fields, option, name),
    ),
  ].flatMap(({ columns }) => columns.map((place) => [place]));
  const kept = selectKept(path, fields, keep, ownNames);
  return [...needed, ...kept.map(({ place }) => [place])];
}
