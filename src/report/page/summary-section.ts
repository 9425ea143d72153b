import { bytes, count } from "../../format-number.js";
import { shortList } from "../../printable.js";
import type { ShownRows } from "../numbers/rows.js";
import type { PageNumbers, SummaryNumbers } from "../output-report.js";
import {
  digits,
  type Html,
  html,
  percent,
  type Section,
  table,
} from "./html.js";

type Line = [name: string, value: string];

export function summarySection(numbers: PageNumbers): Section {
  const { summary } = numbers;
  const { skippedInputs } = summary;
  const content = [
    tiles(numbers),
    html`<dl class="lines">${linesOf(summary).map(
      ([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>
`,
    )}</dl>
`,
    skippedInputs.length > 0 &&
      html`<h3>Inputs without results</h3>
${table(
  "Inputs without results",
  ["input", "error"],
  skippedInputs.map(({ name, error }) => [name, error]),
)}`,
  ];
  const { emit, layout, classes, rows } = summary;
  const lead = `${emit.join(", ")} of ${count(rows)} rows of ${count(classes)} ${classes === 1 ? "logit" : "logits"}, in layout ${layout}.`;
  return { lead, content };
}

function tiles({
  summary,
  confidence: { uncertainty, confidence },
  calibration,
}: PageNumbers): Html {
  const lines: Line[] = [
    ["rows with results", count(summary.rowsWithResults)],
    ["classes", count(summary.classes)],
  ];
  if (confidence) lines.push(["mean confidence", digits(confidence.mean)]);
  if (uncertainty)
    lines.push([
      "blocks lost in float32",
      percent(uncertainty.lostFloat32 / Math.max(1, uncertainty.rows)),
    ]);
  if (calibration?.accuracy != null)
    lines.push(["accuracy", percent(calibration.accuracy)]);
  if (calibration?.ece != null)
    lines.push(["calibration error", digits(calibration.ece)]);
  return html`<ul class="tiles">${lines.map(
    ([name, value]) => html`<li><strong>${value}</strong> ${name}</li>
`,
  )}</ul>
`;
}

function linesOf(summary: SummaryNumbers): Line[] {
  const { sources, temperature, threshold, topK } = summary;
  return [
    [sources.length === 1 ? "input" : "inputs", shortList(sources)],
    [
      "output",
      `${summary.kind === "dataset" ? `dataset of ${count(summary.shards)} ${summary.shards === 1 ? "shard" : "shards"}` : "file"}, ${bytes(summary.bytes)}`,
    ],
    ["results", `${summary.emit.join(", ")}, ${summary.dtype}`],
    ["layout", summary.layout + entriesText(threshold, topK)],
    ["temperature", String(temperature)],
    ...droppedLine(summary),
    ...missingLine(summary),
    ["bad rows", badRowsText(summary)],
    [
      "copied columns",
      shortList(
        summary.copiedColumns,
        ({ name, type }) => `${name}: ${type}`,
      ) || "none",
    ],
    [
      "written by",
      summary.writtenBy ? `softjac ${summary.writtenBy}` : "unknown",
    ],
  ];
}

function droppedLine({ droppedSum, droppedMax }: SummaryNumbers): Line[] {
  if (droppedSum === null) return [];
  const [sum, max] = [droppedSum, droppedMax ?? 0].map((x) => digits(x));
  return [["dropped", `${sum} in |J|, at most ${max} per entry`]];
}

/** Returns a line that says how to store p, which most sections need. */
function missingLine({ from, layout, emit }: SummaryNumbers): Line[] {
  if (from.p) return [];
  const command = `softjac run --emit softmax,${emit.join(",")}`;
  const advice =
    layout === "coo"
      ? `layout coo cannot store it, but ${command} --layout csr does`
      : `${command} stores it`;
  return [
    ["p", `not in the output; sections that need it are empty (${advice})`],
  ];
}

function badRowsText({ badRows, rowsSkipped, layout }: SummaryNumbers): string {
  if (badRows + rowsSkipped === 0) return "none";
  const left =
    layout === "coo"
      ? "without entries (bad rows, or rows whose entries were all dropped)"
      : "omitted";
  return `${count(badRows)} null, ${count(rowsSkipped)} ${left}`;
}

function entriesText(threshold: number, topK: number | null): string {
  const stored = threshold > 0 ? `, threshold ${threshold}` : "";
  return topK ? `${stored}, ${count(topK)} largest entries per block` : stored;
}

export function rowsSection({ rows, summary }: PageNumbers): Section {
  const { mostUncertain, copiedColumns, hiddenColumns, reasons } = rows;
  const shown = mostUncertain.length;
  return {
    lead: html`${shown > 0 && `The ${count(shown)} most uncertain of ${count(summary.rowsWithResults)} rows. `}softjac show prints any row.`,
    reasons,
    content: [
      shown > 0 && rowsTable(rows),
      hiddenColumns > 0 &&
        html`<p>${count(hiddenColumns)} copied columns after ${copiedColumns.at(-1) ?? ""} are not shown.</p>`,
    ],
  };
}

function rowsTable({ copiedColumns, mostUncertain }: ShownRows): Html {
  return table(
    "The most uncertain rows",
    [
      ...["row", "predicted class", "true class", "confidence p"],
      ...["uncertainty 1 − p", "entropy, nats", "classes by p"],
      ...copiedColumns,
    ],
    mostUncertain.map((row) => [
      [row.input ?? [], row.row, row.positions].flat(2).join(", "),
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
