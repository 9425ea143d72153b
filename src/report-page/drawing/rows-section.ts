import { count } from "../../number-text.js";
import { SHOWN_CLASSES } from "../numbers/rows.js";
import type { OutputReport, ShownRow, ShownRows } from "../output-report.js";
import { cellNumber, digits } from "./figures.js";
import { type Html, html, reasonsText, section, table } from "./parts.js";
import { shadeScale } from "./plot.js";

/** Draws the most uncertain rows: a table of all, then p and the block of each. */
export function rowsSection({
  rows,
  summary,
}: Pick<OutputReport, "rows" | "summary">): Html {
  const { mostUncertain, copiedColumns, hiddenColumns, reasons } = rows;
  const some =
    summary.classes > SHOWN_CLASSES
      ? `, for the ${SHOWN_CLASSES} classes with the largest p`
      : "";
  return section(
    "rows",
    "Most uncertain rows",
    html`The ${count(mostUncertain.length)} most uncertain of ${count(summary.rowsWithResults)} rows. Open a row to see p and its block${some}. softjac show prints any row.`,
    [
      reasonsText(reasons),
      mostUncertain.length > 0 ? rowsTable(rows) : null,
      hiddenColumns > 0
        ? html`<p>${count(hiddenColumns)} copied columns after ${copiedColumns.at(-1) ?? ""} are not shown.</p>`
        : null,
      html`${mostUncertain.map((row) => rowDetails(row, rows))}`,
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
      ...copiedColumns,
    ],
    mostUncertain.map((row) => [
      nameOf(row),
      String(row.predicted ?? "–"),
      String(row.label ?? "–"),
      ...[row.confidence, row.uncertainty, row.entropy].map((value) =>
        value === null ? "–" : digits(value, 4),
      ),
      ...row.copied.map((value) => value ?? "null"),
    ]),
  );
}

function rowDetails(row: ShownRow, { blockFrom }: ShownRows): Html | null {
  if (!row.p && !row.block) return null;
  const { predicted, label } = row;
  return html`<details class="row"><summary>Row ${nameOf(row)}${predicted === null ? "" : `: predicted ${predicted}`}${label === null ? "" : `, label ${label}`}</summary>
<div class="parts">
${row.p && pTable(row, row.p)}
${row.block && blockFrom && blockTable(row, row.block, blockFrom)}
</div></details>
`;
}

function nameOf({ row, positions, input }: ShownRow): string {
  return [input ?? [], row, positions].flat(2).join(", ");
}

function pTable(
  { classes, predicted, label }: ShownRow,
  p: readonly number[],
): Html {
  return html`<div><h3>p by class</h3><table class="bars">
<thead class="unseen"><tr><th scope="col">class</th><th scope="col">p</th></tr></thead>
<tbody>
${classes.map(
  (k, n) =>
    html`<tr${k === predicted ? html` class="winner"` : null}><th scope="row">${k}${k === label ? " (label)" : ""}</th><td>${digits(p[n] ?? 0)}</td><td aria-hidden="true"><span class="bar" style="width:${Number((100 * (p[n] ?? 0)).toFixed(2))}%"></span></td></tr>
`,
)}</tbody></table></div>`;
}

/** @param block the upper triangle, row by row */
function blockTable(
  row: ShownRow,
  block: readonly (number | null)[],
  from: "output" | "p",
): Html {
  const { classes } = row;
  const { shade } = shadeScale(block.map((value) => Math.abs(value ?? 0)));
  const cell = (a: number, b: number) => {
    const [low, high] = a < b ? [a, b] : [b, a];
    const at = low * classes.length - (low * (low - 1)) / 2 + high - low;
    const value = block[at] ?? null;
    return value === null
      ? html`<td aria-label="not stored">·</td>`
      : html`<td class="s${shade(Math.abs(value))}">${cellNumber(value)}</td>`;
  };
  const name = `Block of row ${nameOf(row)}`;
  return html`<div class="block"><h3>Block J[i,j]</h3>
<div class="scroll" tabindex="0" role="region" aria-label="${name}"><table>
<thead><tr><th scope="col">i \\ j</th>${classes.map((j) => html`<th scope="col">${j}</th>`)}</tr></thead>
<tbody>
${classes.map(
  (
    i,
    a,
  ) => html`<tr><th scope="row">${i}</th>${classes.map((_, b) => cell(a, b))}</tr>
`,
)}</tbody></table></div>
<p>${from === "output" ? "As stored in the output." : "Computed from p: the output has no blocks."} Shades are steps of equal ratio of |J[i,j]|.${block.includes(null) ? " A dot is an entry that is not stored: dropped, or 0." : ""}</p></div>`;
}
