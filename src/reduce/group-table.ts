import type { Field } from "../arrow/field.js";
import type { Vocabulary } from "../input/class-decoder.js";

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

type Node = Map<number, Node | number>;

/** Numbers groups of rows by their keys, in order of appearance. */
export class GroupTable {
  readonly #keys: number[][] = [];
  readonly #root: Node = new Map();

  get size(): number {
    return this.#keys.length;
  }

  /** Returns the number of the group with these keys (NaN: null); a new one if there is none. */
  indexOf(keys: readonly number[]): number {
    let node = this.#root;
    const last = keys.length - 1;
    for (let k = 0; k < last; k++) {
      const key = keys[k] as number;
      let next = node.get(key) as Node | undefined;
      if (!next) {
        next = new Map();
        node.set(key, next);
      }
      node = next;
    }
    const key = keys[last] ?? 0;
    const known = node.get(key) as number | undefined;
    if (known !== undefined) return known;
    node.set(key, this.#keys.length);
    return this.#keys.push([...keys]) - 1;
  }

  /** Returns the groups in ascending order of their keys: strings by their UTF-8 bytes, nulls last. */
  sorted(columns: readonly KeyColumn[]): { group: number; keys: KeyValue[] }[] {
    const words = columns.map(
      ({ vocabulary }) => vocabulary && [...vocabulary.keys()],
    );
    return this.#keys
      .map((keys, group) => ({
        group,
        keys: keys.map((key, k): KeyValue => {
          if (Number.isNaN(key)) return null;
          return words[k]?.[key] ?? key;
        }),
      }))
      .sort((a, b) => {
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
