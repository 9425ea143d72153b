import { positionNames, printable } from "../printable.js";
import type { ShownRow } from "../show/show.js";
import { aligned, count } from "./format.js";

/** Formats one row of an output for a terminal: p as bars, the block as shades, with numbers if they fit. */
export function showText(
  row: ShownRow,
  { columns, color }: { columns: number; color: boolean },
): string {
  const head = headText(row);
  if (row.isNull)
    return `${head}\n  no results: a bad row (NaN, +inf or all -inf)\n`;
  const { p, block, shown, classes } = row;
  if (!p && !block) return `${head}\n  the output has neither p nor a block\n`;
  const width = Math.max(5, String(Math.max(...shown)).length);
  const left = leftWidth(width, p !== null);
  const style = fittingStyle(shown.length, left, columns);
  const drawn = blockCells(row, style, color);
  const lines = shown.map((k, n) => {
    const name = String(k).padStart(width);
    const x = p?.[n] as number;
    const share = p ? `  ${probability(x)} ${bar(x, style.bar)}` : "";
    return `${name}${share}${drawn ? ` ${drawn.rows[n]}` : ""}`.trimEnd();
  });
  const title = [
    "class".padStart(width),
    p ? `  ${"p".padStart(6)} ${" ".repeat(style.bar)}` : "",
    drawn ? ` ${drawn.header}` : "",
  ].join("");
  return [
    head,
    title.trimEnd(),
    ...lines,
    ...restLines(row, classes - shown.length),
    ...(drawn ? ["", ...drawn.about] : []),
    "",
  ].join("\n");
}

/** Returns the width of the class numbers and p, before the bars. */
export function leftWidth(classWidth: number, hasSoftmax: boolean): number {
  return Math.max(5, classWidth) + (hasSoftmax ? 2 + 6 + 1 : 0);
}

function headText(shown: ShownRow): string {
  const { path, row, positions, rows, input, columns, uncertainty } = shown;
  const facts: [string, string][] = columns.map(({ name, value }) => [
    name,
    value ?? "null",
  ]);
  const hasOwn = facts.some(([name]) => name === "uncertainty");
  if (uncertainty !== null && !hasOwn)
    facts.push(["uncertainty", String(Number(uncertainty.toPrecision(6)))]);
  const text = facts.length > 0 ? aligned(facts) : "";
  const ofInput = input === null ? "" : ` of ${input}`;
  const index = positionNames(positions).map(
    (name, k) => `, ${name} ${positions[k]}`,
  );
  const title = `${path}: row ${count(row)}${index.join("")}${ofInput}, of ${count(rows)}`;
  return `${printable(title)}\n${text}`;
}

/** Formats a probability in six characters: "0.4123", " 9e-09", "1.0000". */
function probability(p: number): string {
  if (p === 0) return "     0";
  return (p >= 1e-3 ? p.toFixed(4) : p.toExponential(0)).padStart(6);
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** Draws a bar in eighths of a character, at least one if p > 0. In damaged files, p may exceed 1 or be NaN. */
function bar(p: number, width: number): string {
  const share = Math.round(8 * width * Math.min(p, 1));
  const eighths = p > 0 ? Math.max(1, share) : 0;
  const whole = Math.floor(eighths / 8);
  return `${"█".repeat(whole)}${EIGHTHS[eighths % 8]}`.padEnd(width);
}

function restLines({ restOfP }: ShownRow, others: number): string[] {
  if (others === 0) return [];
  const share = restOfP === null ? "" : ` with ${restOfP.toPrecision(3)} of p`;
  return [
    "",
    `${count(others)} more classes${share} (use --classes to show more)`,
  ];
}

/** Widths in characters. */
interface CellStyle {
  cell: number;
  bar: number;
  /** Digits after the decimal point; 0 for shades without numbers. */
  decimals: number;
}

const STYLES: readonly CellStyle[] = [
  { cell: 7, bar: 12, decimals: 3 },
  { cell: 6, bar: 10, decimals: 3 },
  { cell: 6, bar: 4, decimals: 3 },
  { cell: 2, bar: 4, decimals: 0 },
  { cell: 2, bar: 1, decimals: 0 },
];

/** Returns the widest style in which a block fits beside `left` columns of text. */
function fittingStyle(
  classes: number,
  left: number,
  columns: number,
): CellStyle {
  const fits = ({ cell, bar }: CellStyle) =>
    left + bar + 1 + cell * classes <= columns;
  return STYLES.find(fits) ?? (STYLES.at(-1) as CellStyle);
}

/** Returns the number of classes that a terminal can show with numbers. */
export function classesThatFit(columns: number, left: number): number {
  const numbers = STYLES.filter(({ decimals }) => decimals > 0);
  const fitting = numbers.map(({ cell, bar }) =>
    Math.floor((columns - left - bar - 1) / cell),
  );
  return Math.max(1, ...fitting);
}

/** Draws the block of a row and lines that explain it; returns null if it has none. */
function blockCells(
  { block, blockFrom, shown, result, temperature, layout }: ShownRow,
  { cell, decimals }: CellStyle,
  color: boolean,
) {
  if (!block) return null;
  const largest = Math.max(0, ...block.flat().map((x) => Math.abs(x ?? 0)));
  const exponent = scaleOf(largest);
  const drawn = (x: number | null) => {
    const level = shadeLevel(x, largest);
    const shade = color ? "" : (CHARACTERS[level] as string);
    const text = decimals > 0 ? formatEntry(x, exponent, decimals) : shade;
    return painted(text.padStart(cell - 1), (x ?? 0) < 0, level, color);
  };
  const columns = shown.map((k) => String(k).padStart(cell - 1));
  const name = result === "log_jacobian" ? "log softmax(o)_j" : "softmax(o)_j";
  const T = temperature === 1 ? "" : ` at T = ${temperature}`;
  const origin = blockFrom === "p" ? " (computed from p)" : "";
  const shades = `shades only, the darkest is ${largest.toPrecision(3)}${color ? "; blue is negative" : ""}`;
  const notes = [
    ...(exponent === 0 ? [] : [`in units of 1e${exponent}`]),
    ...(decimals > 0 ? [] : [shades]),
    ...(block.flat().includes(null) ? [`·: not stored (${layout})`] : []),
  ];
  const title = `J[i,j] = ∂${name}/∂o_i${T}${origin}: i down, j across`;
  return {
    header: decimals > 0 ? columns.join(" ") : "",
    rows: block.map((row) => row.map(drawn).join("")),
    about: [title, ...(notes.length > 0 ? [notes.join("; ")] : [])],
  };
}

/** Returns the power of ten that scales the entries of a block to three decimals below 1. */
function scaleOf(largest: number): number {
  if (largest === 0 || (largest >= 0.01 && largest <= 1)) return 0;
  return Math.floor(Math.log10(largest)) + 1;
}

/** Formats an entry as ".123", "-.123" or "0", or as a dot if the layout does not store it. */
function formatEntry(
  x: number | null,
  exponent: number,
  decimals: number,
): string {
  if (x === null) return "·";
  const text = (x / 10 ** exponent).toFixed(decimals);
  if (Number(text) === 0) return x === 0 ? "0" : text.replace(/^-?0/, "");
  return text.replace(/^(-?)0\./, "$1.");
}

const CHARACTERS = ["·", "░", "▒", "▓", "█"];

/** Returns a shade from 0 to 4, by the square root, so that small entries are visible. */
function shadeLevel(x: number | null, largest: number): number {
  if (!x || largest === 0) return 0;
  return Math.round(4 * Math.sqrt(Math.abs(x) / largest));
}

// Colors of the 256-color palette that work in light and dark terminals and for color-blind readers.
const NEGATIVE = [234, 17, 18, 25, 32];
const POSITIVE = [234, 52, 94, 130, 172];

function painted(
  text: string,
  isNegative: boolean,
  level: number,
  color: boolean,
): string {
  if (!color) return `${text} `;
  const background = (isNegative ? NEGATIVE : POSITIVE)[level];
  return `\x1b[48;5;${background}m\x1b[38;5;${level > 2 ? 231 : 250}m${text} \x1b[0m`;
}
