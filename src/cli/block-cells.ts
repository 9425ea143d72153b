import type { ShownRow } from "../show/show.js";

/** Widths in characters. */
export interface CellStyle {
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
export function fittingStyle(
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
export function blockCells(
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
