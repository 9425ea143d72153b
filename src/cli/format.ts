import { bytes, count, duration } from "../format-number.js";
import { printable, shortName } from "../printable.js";

export { bytes, count, duration };

/** Returns bytes exactly and in the unit that people read: 832,784 (832.8 kB). */
export function exactBytes(value: number): string {
  return `${count(value)} (${bytes(value)})`;
}

/** Returns a time, and the rates of rows and bytes: 0.064 s, 28,000 rows/s, 13.0 MB/s. */
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

/** Label and value of a line; a line without a value is left out. */
export type TextRow = readonly [label: string, value: string];

/** Returns a line for a title, which may be a path, and lines of label and value, aligned below it. */
export function titled(title: string, rows: readonly TextRow[]): string {
  const filled = rows.filter(([, value]) => value !== "");
  return `${printable(title)}\n${aligned(filled)}`;
}

/** Returns lines of label and value, aligned. Either may come from a file. */
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
