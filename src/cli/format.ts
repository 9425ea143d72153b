import { printable, shortName } from "../printable.js";

export { bytes, count, duration } from "../number-text.js";

/** 1234567 as "1.23 M": three digits, for what changes while one reads it. */
export function short(value: number): string {
  const units = ["", " k", " M", " G", " T"];
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  const digits = scaled >= 99.5 || unit === 0 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${scaled.toFixed(digits)}${units[unit]}`;
}

/** Seconds as "0:07", "3:20", "2:03:20". */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const [h, m, s] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Returns a line for a title, which may be a path, and lines of label and value, aligned below it. */
export function titled(
  title: string,
  rows: readonly (readonly [label: string, value: string])[],
): string {
  return `${printable(title)}\n${aligned(rows)}`;
}

/** Returns lines of label and value, aligned. Either may come from a file. */
export function aligned(
  rows: readonly (readonly [label: string, value: string])[],
): string {
  const lines = rows.map(([label, value]) => [
    shortName(label),
    printable(value),
  ]) as [string, string][];
  const width = Math.max(...lines.map(([label]) => label.length));
  return lines
    .map(([label, value]) => `  ${label.padEnd(width)}  ${value}\n`)
    .join("");
}
