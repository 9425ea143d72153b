import { count } from "../../number-text.js";
import { SHOWN_CLASSES } from "../gather/remembered-row.js";
import type { OutputReport, ShownRow, ShownRows } from "../output-report.js";
import { digits } from "./figures.js";
import { embeddedJson, type Html, html } from "./html.js";
import { lacking, section, table } from "./parts.js";

/** Of all rows that the page has whole: the page itself stays under 3 MB. */
const MOST_BYTES = 1_400_000;
const LISTED = 5;

/** Single rows: the mostConfident, the most torn, and some at random. */
export function rowsSection({
  rows,
  summary,
  seed,
  calibration,
}: Pick<OutputReport, "rows" | "summary" | "seed" | "calibration">): Html {
  const { lists, left } = fitted(rows);
  const all = lists.flatMap((list) => list.rows).length;
  const lead =
    summary.classes > SHOWN_CLASSES
      ? `The ${SHOWN_CLASSES} classes with the largest p are shown for each row.`
      : "All classes are shown for each row.";
  return section("rows", "Rows", lead, [
    lacking(rows.reasons),
    left > 0
      ? html`<p class="lacks">${count(left)} random rows are not shown, because the page would exceed 3 MB.</p>`
      : null,
    all === 0
      ? html`<p>There are no rows to show.</p>`
      : html`${viewer(rows, lists, summary, seed, calibration?.label ?? null)}${listedRows(rows)}`,
  ]);
}

interface RowList {
  name: string;
  rows: readonly ShownRow[];
}

function fitted(rows: ShownRows): { lists: RowList[]; left: number } {
  const extremes: RowList[] = [
    { name: "Most confident", rows: rows.mostConfident },
    { name: "Most uncertain", rows: rows.mostUncertain },
  ];
  const bytesOf = (row: ShownRow) =>
    Buffer.byteLength(
      embeddedJson(JSON.parse(JSON.stringify(row, short))).markup,
    );
  let room = MOST_BYTES;
  for (const row of extremes.flatMap((list) => list.rows)) room -= bytesOf(row);
  const random = rows.random.filter((row) => {
    room -= bytesOf(row);
    return room >= 0;
  });
  const lists = [...extremes, { name: "Random", rows: random }];
  return {
    lists: lists.filter((list) => list.rows.length > 0),
    left: rows.random.length - random.length,
  };
}

/** Five digits are more than is shown. */
function short(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value)
    ? Number(value.toPrecision(5))
    : value;
}

function viewer(
  { copiedColumns, hiddenColumns, blockFrom }: ShownRows,
  lists: readonly RowList[],
  summary: OutputReport["summary"],
  seed: number,
  label: string | null,
): Html {
  const data = JSON.parse(
    JSON.stringify({ copiedColumns, label, blockFrom, lists }, short),
  );
  const sizes = lists.map(
    (list) => `${count(list.rows.length)} ${list.name.toLowerCase()}`,
  );
  return html`<p>${sizes.join(", ")} of ${count(summary.rowsWithResults)} rows${lists.some(({ name }) => name === "Random") ? `; the random rows are drawn with seed ${seed}` : ""}. Use the arrow keys to move between rows, Home and End for the first and the last.${hiddenColumns > 0 ? ` Copied columns that are not shown: ${hiddenColumns}.` : ""}</p>
<p class="lacks" id="viewer-missing">The row viewer needs JavaScript; the tables below do not.</p>
<div id="viewer" role="group" aria-label="Row viewer" tabindex="0" hidden>
<div class="controls">
<label>Rows <select id="viewer-list"></select></label>
<span class="buttons"><button type="button" data-step="first">First</button><button type="button" data-step="back">Back</button><button type="button" data-step="next">Next</button><button type="button" data-step="last">Last</button></span>
<p id="viewer-place" role="status"></p>
</div>
<div id="viewer-row"></div>
</div>
<script type="application/json" id="rows-data">${embeddedJson(data)}</script>
`;
}

/** The ends, for paper and for who has no JavaScript. */
function listedRows({ mostConfident, mostUncertain }: ShownRows): Html | null {
  if (mostConfident.length === 0) return null;
  const of = (
    title: string,
    rows: readonly ShownRow[],
  ) => html`<div><h3>${title}</h3>
${table(
  title,
  ["row", "predicted", "label", "uncertainty 1 − p", "entropy"],
  rows
    .slice(0, LISTED)
    .map((row) => [
      row.input === null ? String(row.row) : `${row.input}, ${row.row}`,
      row.predicted === null ? "–" : String(row.predicted),
      row.label === null ? "–" : String(row.label),
      row.uncertainty === null ? "–" : digits(row.uncertainty),
      row.entropy === null ? "–" : digits(row.entropy),
    ]),
)}</div>`;
  return html`<div class="tables">${of(`The ${Math.min(LISTED, mostConfident.length)} most confident rows`, mostConfident)}${of(`The ${Math.min(LISTED, mostUncertain.length)} most uncertain rows`, mostUncertain)}</div>`;
}
