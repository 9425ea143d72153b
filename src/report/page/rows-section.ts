import { count } from "../../format-number.js";
import type { OutputReport, ShownRow, ShownRows } from "../output-report.js";
import { digits } from "./digits.js";
import { type Html, html, reasonsText, section, table } from "./html.js";

/** Returns a table of the most uncertain rows. */
export function rowsSection({
  rows,
  summary,
}: Pick<OutputReport, "rows" | "summary">): Html {
  const { mostUncertain, copiedColumns, hiddenColumns, reasons } = rows;
  return section(
    "rows",
    "Most uncertain rows",
    html`The ${count(mostUncertain.length)} most uncertain of ${count(summary.rowsWithResults)} rows. softjac show prints p and the block of any row.`,
    [
      reasonsText(reasons),
      mostUncertain.length > 0 ? rowsTable(rows) : null,
      hiddenColumns > 0
        ? html`<p>${count(hiddenColumns)} copied columns after ${copiedColumns.at(-1) ?? ""} are not shown.</p>`
        : null,
    ],
  );
}

function rowsTable({ copiedColumns, mostUncertain }: ShownRows): Html {
  return table(
    "The most uncertain rows",
    [
      "row",
      "predicted class",
      "true class",
      "confidence p",
      "uncertainty 1 − p",
      "entropy, nats",
      "classes by p",
      ...copiedColumns,
    ],
    mostUncertain.map((row) => [
      rowName(row),
      String(row.predicted ?? "–"),
      String(row.label ?? "–"),
      ...[row.confidence, row.uncertainty, row.entropy].map((value) =>
        value === null ? "–" : digits(value, 4),
      ),
      row.likely
        ?.filter(({ p }, n) => n === 0 || p >= 0.001)
        .map(({ class: k, p }) => `${k}: ${digits(p)}`)
        .join(", ") ?? "–",
      ...row.copied.map((value) => value ?? "null"),
    ]),
  );
}

function rowName({ row, positions, input }: ShownRow): string {
  return [input ?? [], row, positions].flat(2).join(", ");
}
