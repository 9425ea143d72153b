import type { Field } from "../../arrow/field.js";
import { selectKept } from "../kept-columns.js";
import { selectLogits } from "../logits-column.js";
import type { OpenOptions } from "../logits-file.js";
import { selectValues } from "../value-column.js";

/**
 * Names of the columns that a run reads, in the file's order: all others need not be decoded.
 * @throws LogitsColumnError, InputUnsupportedError
 */
export function neededColumns(
  path: string,
  fields: Field[],
  options: OpenOptions,
): string[] {
  const { keep, ownNames, inputs } = options;
  const needed = new Set([
    ...selectLogits(path, fields, options).columns,
    ...selectKept(path, fields, keep, ownNames).map(({ place }) => place),
    ...inputs.flatMap(
      ({ option, name }) => selectValues(path, fields, option, name).columns,
    ),
  ]);
  return fields.filter((_, place) => needed.has(place)).map(({ name }) => name);
}
