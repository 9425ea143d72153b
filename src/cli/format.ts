export { bytes, count, duration } from "../number-text.js";

/** Rows of label and value, aligned. */
export function aligned(rows: [label: string, value: string][]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows
    .map(([label, value]) => `  ${label.padEnd(width)}  ${value}\n`)
    .join("");
}
