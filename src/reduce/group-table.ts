import type { Field } from "../arrow/field.js";
import type { Vocabulary } from "../input/class-decoder.js";
import { dayText } from "../reader/copied-values.js";
import { GroupNumbers } from "../tasks/group-numbers.js";

/** Column whose values form groups. */
export interface KeyColumn {
  name: string;
  /** Field of the first input. */
  field: Field;
  /** Strings by their numbers; null if the numbers are the values. */
  vocabulary: Vocabulary | null;
}

/** Value of a key: a string, a whole number or null. */
export type KeyValue = string | number | null;

/** Returns a value of a key for people and JSON: booleans as such, dates as 2026-02-28. */
export function shownKey(
  { field: { type } }: KeyColumn,
  value: KeyValue,
): KeyValue | boolean {
  if (value === null) return null;
  if (type.kind === "Bool") return value === 1;
  return type.kind === "Date" ? dayText(Number(value), type.unit) : value;
}

/** Groups of rows, which can be sorted. */
export class GroupTable extends GroupNumbers {
  /** Returns the groups in ascending order of their keys: strings by their UTF-8 bytes, nulls last. */
  sorted(columns: readonly KeyColumn[]): { group: number; keys: KeyValue[] }[] {
    const words = columns.map(
      ({ vocabulary }) => vocabulary && [...vocabulary.keys()],
    );
    return Array.from({ length: this.size }, (_, group) => ({
      group,
      keys: this.keysOf(group).map((key, k): KeyValue => {
        if (Number.isNaN(key)) return null;
        return words[k]?.[key] ?? key;
      }),
    })).sort((a, b) => {
      for (const [k, value] of a.keys.entries()) {
        const order = compare(value, b.keys[k] as KeyValue);
        if (order !== 0) return order;
      }
      return 0;
    });
  }
}

function compare(a: KeyValue, b: KeyValue): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  if (typeof a === "string")
    return Buffer.compare(Buffer.from(a), Buffer.from(`${b}`));
  return a - (b as number);
}
