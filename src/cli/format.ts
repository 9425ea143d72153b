import { bytes, count, duration, numberOf } from "../format-number.js";
import { printable, shortName } from "../printable.js";

export { bytes, count, duration, numberOf };

/** Formats bytes exactly and rounded: 832,784 (832.8 kB). */
export function exactBytes(value: number): string {
  return `${count(value)} (${bytes(value)})`;
}

/** Formats a time and rates: 0.064 s, 28,000 rows/s, 13.0 MB/s. */
export function timeAndRates(
  { durationMs, rowsPerSecond }: { durationMs: number; rowsPerSecond: number },
  written: number,
): string {
  const rate = bytes((1000 * written) / durationMs);
  return `${duration(durationMs)}, ${count(rowsPerSecond)} rows/s, ${rate}/s`;
}

/** Returns ", 3 before"; empty for 0. */
export function more(number: number, what: string): string {
  return number > 0 ? `, ${count(number)} ${what}` : "";
}

/** Label and value of a line; a line with an empty value is omitted. */
export type TextRow = readonly [label: string, value: string];

/** Formats a title and, below it, aligned lines of label and value. */
export function titled(title: string, rows: readonly TextRow[]): string {
  const filled = rows.filter(([, value]) => value !== "");
  return `${printable(title)}\n${aligned(filled)}`;
}

/** Formats aligned lines of label and value, both escaped because they may come from a file. */
export function aligned(rows: readonly TextRow[]): string {
  const lines = rows.map(([label, value]) => [
    shortName(label),
    printable(value),
  ]) as [string, string][];
  const width = Math.max(...lines.map(([label]) => label.length));
  return lines
    .map(([label, value]) => `  ${label.padEnd(width)}  ${value}\n`)
    .join("");
}
