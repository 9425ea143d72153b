import { digits } from "../src/report-page/drawing/figures.js";
import { blockTable } from "./block-table.js";
import { element } from "./elements.js";
import type { RowData, RowsData } from "./row-data.js";

/** One row: what is known of it, its p as bars, and its block. */
export function rowView(row: RowData, data: RowsData): HTMLElement[] {
  const view = [facts(row, data)];
  if (row.p) view.push(bars(row, row.p));
  if (row.block && data.blockFrom) view.push(blockTable(row, data.blockFrom));
  return view;
}

function facts(row: RowData, { copiedColumns, label }: RowsData): HTMLElement {
  const number = (value: number | null) =>
    value === null ? "unknown" : digits(value, 4);
  const lines: [name: string, value: string][] = [["row", String(row.row)]];
  if (row.input !== null) lines.push(["input", row.input]);
  if (row.predicted !== null)
    lines.push(["predicted class", String(row.predicted)]);
  if (row.label !== null) lines.push(["label", String(row.label)]);
  lines.push(
    ["confidence p", number(row.confidence)],
    ["uncertainty 1 − p", number(row.uncertainty)],
    ["entropy, nats", number(row.entropy)],
    ...copiedColumns.flatMap((name, n): [string, string][] =>
      // It has been told, where it is a class.
      name === label && row.label !== null
        ? []
        : [[name, row.copied[n] ?? "null"]],
    ),
  );
  return element(
    "div",
    {},
    element("h3", {}, `Row ${row.row}`),
    element(
      "dl",
      {},
      ...lines.flatMap(([name, value]) => [
        element("dt", {}, name),
        element("dd", {}, value),
      ]),
    ),
  );
}

function bars(
  { classes, predicted, label }: RowData,
  p: readonly number[],
): HTMLElement {
  const rows = classes.map((k, n) => {
    const own = p[n] ?? 0;
    const bar = element("span", { class: "bar" });
    bar.style.width = `${100 * own}%`;
    return element(
      "tr",
      k === predicted ? { class: "winner" } : {},
      element("th", { scope: "row" }, k === label ? `${k} (label)` : String(k)),
      element("td", {}, digits(own)),
      element("td", { "aria-hidden": "true" }, bar),
    );
  });
  return element(
    "div",
    {},
    element("h3", {}, "p by class"),
    element(
      "table",
      { class: "bars" },
      element("caption", { class: "unseen" }, "p of the row by class"),
      element(
        "thead",
        { class: "unseen" },
        element(
          "tr",
          {},
          element("th", { scope: "col" }, "class"),
          element("th", { scope: "col" }, "p"),
        ),
      ),
      element("tbody", {}, ...rows),
    ),
  );
}
