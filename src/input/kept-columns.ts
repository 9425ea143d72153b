import {
  describeField,
  type Field,
  fixedBits,
  offsetBytes,
  storedType,
} from "../arrow/field.js";
import { withoutViews } from "../arrow/views.js";
import { InputUnsupportedError, LogitsColumnError } from "../errors.js";
import { notOne } from "./logits-column.js";

/** Input column that is copied to the output (`keep`). */
export interface KeptColumn {
  /** Field of the output, without views. */
  field: Field;
  /** Index of the column in the input. */
  place: number;
  /** Bits per value (1 = bool) of a fixed-width column, else 0. */
  bits: number;
  /** Bytes per offset of a variable-length column of the output, else 0. */
  offsetBytes: 0 | 4 | 8;
  /** Whether the input has views, which the output replaces by offsets. */
  views: boolean;
  /** Number of values in the dictionary, which all indices must be below; null for a column without dictionary. */
  dictionaryValues: number | null;
}

/**
 * The columns named in `keep`, in that order; `ownNames` are those of the output's other columns.
 * @throws LogitsColumnError for a name that is not there once; InputUnsupportedError for nested types.
 */
export function selectKept(
  path: string,
  fields: Field[],
  keep: readonly string[],
  ownNames: readonly string[],
): KeptColumn[] {
  return keep.map((name) => {
    const places = fields.flatMap((f, k) => (f.name === name ? [k] : []));
    if (places.length !== 1)
      throw new LogitsColumnError(
        path,
        `--keep ${name}: ${notOne(places, fields)}`,
      );
    if (ownNames.includes(name))
      throw new LogitsColumnError(
        path,
        `--keep ${name}: the output has a column ${name} of its own`,
      );
    const place = places[0] as number;
    return keptColumn(path, fields[place] as Field, place);
  });
}

/** How a column is copied. @throws InputUnsupportedError for nested types */
export function keptColumn(
  path: string,
  field: Field,
  place: number,
): KeptColumn {
  const values = withoutViews(field.type) ?? field.type;
  const stored = field.dictionary ? storedType(field) : values;
  const bits = fixedBits(stored);
  const offsets = offsetBytes(stored);
  const copyable = bits > 0 ? bits === 1 || bits % 8 === 0 : offsets > 0;
  const valuesCopyable = fixedBits(values) > 0 || offsetBytes(values) > 0;
  if (!copyable || !valuesCopyable)
    throw new InputUnsupportedError(
      path,
      `column ${field.name}`,
      `expected a primitive, bool, utf8, binary or dictionary column to keep, found ${describeField(field)}`,
    );
  return {
    field: { ...field, type: values },
    place,
    bits,
    offsetBytes: offsets,
    views: !field.dictionary && values !== field.type,
    dictionaryValues: field.dictionary ? 0 : null,
  };
}
