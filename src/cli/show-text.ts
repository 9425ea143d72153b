import { positionNames, printable } from "../printable.js";
import type { ShownRow } from "../show/show.js";
import { blockCells, fittingStyle } from "./block-cells.js";
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
