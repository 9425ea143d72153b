import type { EffectRow, EffectsReport } from "../effects/effects-report.js";
import { printable } from "../printable.js";
import { duration, numberOf } from "./format.js";

/** Formats effects as a table, or where they were written. */
export function effectsReportText(report: EffectsReport): string {
  const { output, effects } = report;
  if (output === null) return table(report);
  if (effects.length === 0)
    return `${printable(output)}: partial sums of ${size(report)}\n`;
  return `${printable(output)}: ${numberOf(effects.length, "row")}\n${summary(report)}`;
}

function table(report: EffectsReport): string {
  const { effects, level } = report;
  const [first] = effects;
  const keys = Object.keys(first?.group ?? {});
  const digits = decimalsOf(effects);
  const number = (value: number | null, width = digits) =>
    value === null ? "" : shown(value, width);
  const hasErrors = first?.std_error !== null;
  const header = [
    ...[...keys, "effect", "class", "term", "estimate"],
    ...(hasErrors
      ? [
          "std_error",
          "z",
          "p",
          `${Number((100 * level).toPrecision(8))} % interval`,
        ]
      : []),
  ];
  const rows = effects.map((row) => [
    ...keys.map((key) => String(row.group[key] ?? "null")),
    ...[row.effect, String(row.class), row.term ?? "", number(row.estimate)],
    ...(hasErrors
      ? [
          ...[number(row.std_error), number(row.statistic, 2)],
          probability(row.p_value),
          `${number(row.conf_low)} to ${number(row.conf_high)}`,
        ]
      : []),
  ]);
  const hasNames = typeof first?.class === "string";
  const isLeft = (column: number) =>
    column <= keys.length + (hasNames ? 1 : 0) || column === keys.length + 2;
  const cells = [header, ...rows].map((row) => row.map(printable));
  const widths = header.map((_, k) =>
    Math.max(...cells.map((row) => row[k]?.length ?? 0)),
  );
  const lines = cells.map((row) =>
    row
      .map((cell, k) =>
        isLeft(k) ? cell.padEnd(widths[k] ?? 0) : cell.padStart(widths[k] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n${summary(report)}`;
}

function summary(report: EffectsReport): string {
  const errors = {
    fisher: "standard errors by the Fisher information of these rows",
    robust: "robust standard errors (HC0)",
    file: "standard errors by the covariance in the file",
    none: "no standard errors",
  }[report.covariance];
  return `${size(report)}; ${errors}; ${duration(report.durationMs)}\n`;
}

function size({ rows, badRows, classes, terms }: EffectsReport): string {
  const bad = badRows > 0 ? `, ${numberOf(badRows, "bad row")} left out` : "";
  return `${numberOf(rows, "row")}${bad}, ${numberOf(classes, "class", "classes")}, ${numberOf(terms.length, "feature")}`;
}

/** Formats a number with a number of decimals, or as a power of ten if they show less than two digits of it. */
function shown(value: number, decimals: number): string {
  const isSmall = Math.abs(value) < 0.95 * 10 ** (1 - decimals);
  return isSmall && value !== 0
    ? value.toExponential(2)
    : value.toFixed(decimals);
}

/** Returns decimals that show at least three digits of typical estimates. */
function decimalsOf(effects: readonly EffectRow[]): number {
  const sizes = effects
    .map(({ estimate, std_error }) => std_error || Math.abs(estimate))
    .filter((size) => size > 0)
    .sort((a, b) => a - b);
  const middle = sizes[Math.floor(sizes.length / 2)] ?? 1;
  return Math.min(12, Math.max(3, 2 - Math.floor(Math.log10(middle))));
}

function probability(p: number | null): string {
  if (p === null) return "";
  if (p < 1e-300) return "<1e-300";
  return p < 0.0001 ? p.toExponential(1) : p.toFixed(4);
}
