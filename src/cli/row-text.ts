import type { ShownRow } from "../show/shown-row.js";
import { blockCells, fittingStyle } from "./block-cells.js";
import { aligned, count } from "./format.js";

export interface TextOptions {
  /** Of the terminal. */
  columns: number;
  colour: boolean;
}

/** What a file has of one row, for people: p as bars, the block in shades, with numbers where they fit. */
export function rowText(
  row: ShownRow,
  { columns, colour }: TextOptions,
): string {
  const head = headText(row);
  if (row.isNull)
    return `${head}\n  no results: a bad row (NaN, +inf, or nothing but -inf)\n`;
  const { p, block, shown, classes } = row;
  if (!p && !block)
    return `${head}\n  neither softmax nor a block is among the results\n`;
  const width = Math.max(5, String(Math.max(...shown)).length);
  const style = fittingStyle({
    classes: shown.length,
    left: leftWidth(width, p),
    columns,
  });
  const drawn = blockCells(row, style, colour);
  const lines = shown.map((k, n) => {
    const name = String(k).padStart(width);
    const own = p
      ? `  ${probability(p[n] as number)} ${bar(p[n] as number, style.bar)}`
      : "";
    const cells = drawn ? ` ${drawn.rows[n]}` : "";
    return `${name}${own}${cells}`.trimEnd();
  });
  const top = [
    "class".padStart(width),
    ...(p ? [`  ${"p".padStart(6)} ${" ".repeat(style.bar)}`] : []),
    ...(drawn ? [` ${drawn.header}`] : []),
  ]
    .join("")
    .trimEnd();
  const rest = restText(row, classes - shown.length);
  const about = drawn ? `${drawn.about}\n` : "";
  return `${head}\n${top}\n${lines.join("\n")}\n${rest}\n${about}`;
}

function headText({ path, row, rows, input, kept, numbers }: ShownRow): string {
  const of = input === null ? "" : ` of ${input}`;
  const facts: [string, string][] = [
    ...kept.map(({ name, value }): [string, string] => [name, value ?? "null"]),
    ...numbers.map(({ name, value }): [string, string] => [
      name,
      value === null ? "null" : String(value),
    ]),
  ];
  const text = facts.length > 0 ? aligned(facts) : "";
  return `${path}: row ${count(row)}${of}, of ${count(rows)}\n${text}`;
}

function leftWidth(width: number, p: number[] | null): number {
  return width + (p ? 2 + 6 + 1 : 0) + 1;
}

/** Six characters: "0.4123", "9.3e-9", "1.0000". */
function probability(p: number): string {
  if (p === 0) return "     0";
  if (p >= 1e-3) return p.toFixed(4);
  const [digits = "", exponent = ""] = p.toExponential(0).split("e");
  return `${digits}e${exponent}`.padStart(6);
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar in eighths of a character; what is not 0 shows. */
function bar(p: number, width: number): string {
  const eighths = p === 0 ? 0 : Math.max(1, Math.round(8 * width * p));
  const whole = Math.floor(eighths / 8);
  return `${"█".repeat(whole)}${EIGHTHS[eighths % 8]}`.padEnd(width);
}

function restText({ restOfP }: ShownRow, others: number): string {
  if (others === 0) return "";
  const text =
    restOfP === null
      ? ""
      : `, which have ${restOfP.toPrecision(3)} of p together`;
  return `${count(others)} classes are not shown${text} (--classes)\n`;
}
