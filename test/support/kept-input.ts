import { type Columns, writeArrow } from "./arrow-columns.js";

export const KEPT_ROWS = 50;
export const KEPT_CLASSES = 4;
const REPEATED = ["train", "test", "validation"];

/** Pattern that differs from itself shifted by 1 to 7 rows, so that a wrong bit offset gives other nulls. */
const isThere = (r: number) => ![0, 1, 4].includes(r % 11);

const there = (value: (r: number) => unknown) =>
  rows((r) => (isThere(r) ? value(r) : null));

/** Columns of every type that can be copied, by name; nullable ones have some nulls. */
export const KEPT: Record<string, { type: string; values: unknown[] }> = {
  id: { type: "int32", values: rows((r) => 10 * r) },
  // Three of seven rows are unlabelled.
  label: {
    type: "int8",
    values: rows((r) => [-100, -1, -1][r % 7] ?? (r % 7) - 3),
  },
  small: { type: "uint8", values: rows((r) => 250 - r) },
  middle: { type: "int16", values: there((r) => 1000 - 40 * r) },
  large: { type: "int64", values: there((r) => r * 2 ** 33) },
  weight: { type: "float64", values: there((r) => r / 7) },
  flag: { type: "bool", values: there((r) => r % 2 === 0) },
  sure: { type: "bool", values: rows((r) => r % 5 === 0) },
  name: { type: "utf8", values: there((r) => "né".repeat(r % 5)) },
  bytes: { type: "binary", values: rows((r) => new Uint8Array(r % 4).fill(r)) },
  split: {
    type: "dictionary<int32, utf8>",
    values: there((r) => REPEATED[r % 2]),
  },
  kind: {
    type: "dictionary<int8, utf8>",
    values: rows((r) => REPEATED[(r * r) % 3]),
  },
  day: { type: "date_day", values: rows((r) => new Date(86_400_000 * r)) },
  at: { type: "timestamp", values: there((r) => 1.6e12 + r) },
};

export const keptLogit = (r: number, k: number) =>
  ((r * 31 + k * 17) % 23) / 4 - 2;

function rows<T>(value: (r: number) => T): T[] {
  return Array.from({ length: KEPT_ROWS }, (_, r) => value(r));
}

/** Writes the columns and `logits` with flechette. */
export function writeKept(path: string, batchRows: number): void {
  const logits = rows((r) =>
    Array.from({ length: KEPT_CLASSES }, (_, k) => keptLogit(r, k)),
  );
  const columns = Object.entries(KEPT).map(
    ([name, { type, values }]) => [name, [values, type]] as const,
  );
  const list = `fixed_size_list<float32>[${KEPT_CLASSES}]`;
  writeArrow(
    path,
    { ...(Object.fromEntries(columns) as Columns), logits: [logits, list] },
    { batchRows },
  );
}
