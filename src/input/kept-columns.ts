import {
  describeField,
  type Field,
  fixedBits,
  offsetBytes,
  storedType,
} from "../arrow/field.js";
import { withoutViews } from "../arrow/views.js";
import {
  InputUnsupportedError,
  LogitsColumnError,
  UsageError,
} from "../errors.js";
import { findNames } from "./column-names.js";
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
 * The columns that `keep` names, in that order; `ownNames` are those of the output's other columns.
 * @throws LogitsColumnError for a name that is not there once; UsageError for a column that is named twice;
 * InputUnsupportedError for nested types.
 */
export function selectKept(
  path: string,
  fields: Field[],
  keep: readonly string[],
  ownNames: readonly string[],
): KeptColumn[] {
  const names = fields.map(({ name }) => name);
  return keptPlaces(path, keep, names, ownNames, (places) =>
    notOne(places, fields),
  ).map((place) => keptColumn(path, fields[place] as Field, place));
}

/**
 * Places of the columns or arrays that `keep` names.
 * @param problem what is wrong with a name of none, or of several, at these places
 * @throws LogitsColumnError, UsageError
 */
export function keptPlaces(
  path: string,
  keep: readonly string[],
  names: readonly string[],
  ownNames: readonly string[],
  problem: (places: readonly number[]) => string,
): number[] {
  const chosen = findNames(keep, names).flatMap(
    ({ text, places, isPattern }) => {
      if (places.length === 0 || (places.length > 1 && !isPattern))
        throw new LogitsColumnError(path, `--keep ${text}: ${problem(places)}`);
      return places;
    },
  );
  for (const [k, place] of chosen.entries()) {
    const name = names[place] as string;
    if (ownNames.includes(name))
      throw new LogitsColumnError(
        path,
        `--keep ${name}: the output has a column ${name} of its own`,
      );
    if (chosen.findIndex((other) => names[other] === name) < k)
      throw new UsageError(`keep: ${name} is given twice`, "keep");
  }
  return chosen;
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
      `expected a primitive, bool, utf8, binary or dictionary column to keep, found ${describeField(field)}; join such columns to the output by row`,
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
