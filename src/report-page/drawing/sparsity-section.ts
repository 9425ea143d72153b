import { bytes, count } from "../../number-text.js";
import type { OutputReport, SparsityNumbers } from "../output-report.js";
import { digits, logTicks, percent, powerOfTen } from "./figures.js";
import { type Html, html } from "./html.js";
import { figure, lacking, section, table } from "./parts.js";
import { Plot, picture } from "./plot.js";

/** What thresholds leave, and what each layout weighs. */
export function sparsitySection({
  sparsity,
  summary,
}: Pick<OutputReport, "sparsity" | "summary">): Html {
  const { curve, lacks } = sparsity;
  const own = summary.entries;
  return section(
    "sparsity",
    "Sparsity",
    html`What --threshold τ would leave of the blocks, and which layout weighs least.`,
    [
      lacking(lacks),
      own === null
        ? null
        : html`<ul class="facts"><li>This output keeps ${count(own)} entries, ${digits(own / Math.max(1, summary.rowsWithResults))} a row of ${count(summary.classes ** 2)}${summary.droppedSum === null ? "" : html`; left out: ${digits(summary.droppedSum)} in all of |J|, the largest ${digits(summary.droppedMax ?? 0)}`}.</li></ul>`,
      html`<div class="figures">`,
      curve.length > 0 ? keptFigure(sparsity, summary.classes) : null,
      curve.length > 0 ? droppedFigure(sparsity) : null,
      layoutsFigure(sparsity, summary),
      html`</div>`,
    ],
  );
}

function fromRows({ rows, isSample }: SparsityNumbers): string {
  return isSample
    ? `a random sample of ${count(rows)} rows`
    : `${count(rows)} rows, all that have p`;
}

const TAU = {
  type: "log",
  label: "threshold τ →",
  tickFormat: (value: number) => powerOfTen(Math.round(Math.log10(value))),
  ticks: 9,
  grid: true,
} as const;

function keptFigure(sparsity: SparsityNumbers, classes: number): Html {
  const most = classes ** 2;
  const points = sparsity.curve.map((point) => ({
    ...point,
    share: (100 * point.entriesPerRow) / most,
  }));
  return figure({
    id: "entries-kept",
    title: "Entries kept",
    caption: html`Entries of |value| τ or more, in percent of the ${count(most)} of a block; from ${fromRows(sparsity)}.`,
    picture: picture("Entries kept against the threshold", {
      x: TAU,
      y: { label: "↑ entries kept, %", domain: [0, 100], grid: true },
      marks: [
        Plot.line(points, {
          x: "threshold",
          y: "share",
          stroke: "var(--bar)",
          strokeWidth: 2,
        }),
        Plot.dot(points, {
          x: "threshold",
          y: "share",
          fill: "var(--bar)",
          r: 3,
        }),
        Plot.ruleY([0]),
      ],
    }),
    table: table(
      "Entries kept by threshold",
      ["τ", "entries a row", "part left out of Σ|J|", "largest left out"],
      points.map((point) => [
        digits(point.threshold),
        digits(point.entriesPerRow, 4),
        percent(point.droppedShare),
        digits(point.droppedMax),
      ]),
    ),
  });
}

function droppedFigure(sparsity: SparsityNumbers): Html {
  const points = sparsity.curve.map(({ threshold, droppedShare }) => ({
    threshold,
    share: 100 * droppedShare,
  }));
  const some = points.filter(({ share }) => share > 1e-14);
  return figure({
    id: "mass-dropped",
    title: "Mass dropped",
    caption: html`The part of Σ|J[i,j]| that entries under τ have, in percent, on a logarithmic axis; from ${fromRows(sparsity)}. Nothing is renormalised: this is what a threshold loses.`,
    picture: picture("Mass dropped against the threshold", {
      x: { ...TAU, domain: [1e-16, 1] },
      y: {
        type: "log",
        label: "↑ mass dropped, %",
        grid: true,
        tickFormat: (value: number) =>
          value < 0.01
            ? powerOfTen(Math.round(Math.log10(value)))
            : digits(value),
        ticks: logTicks(some.map(({ share }) => share)),
        ...(some.length === 0 && { domain: [1e-6, 100] }),
      },
      marks: [
        Plot.line(some, {
          x: "threshold",
          y: "share",
          stroke: "var(--accent)",
          strokeWidth: 2,
        }),
        Plot.dot(some, {
          x: "threshold",
          y: "share",
          fill: "var(--accent)",
          r: 3,
        }),
      ],
    }),
  });
}

function layoutsFigure(
  sparsity: SparsityNumbers,
  summary: OutputReport["summary"],
): Html {
  const { curve } = sparsity;
  const lines = (["csr", "coo"] as const).flatMap((layout) =>
    curve.flatMap((point) => {
      const weight = point[`${layout}Bytes`];
      return weight
        ? [{ layout, threshold: point.threshold, bytes: weight }]
        : [];
    }),
  );
  const weights = sparsity.layouts.flatMap(({ layout, bytes: weight }) =>
    weight && layout !== "dense" ? [{ layout, bytes: weight }] : [],
  );
  const ends = lines.filter(
    ({ threshold }) => threshold === curve[0]?.threshold,
  );
  return figure({
    id: "layouts",
    title: "What each layout weighs",
    wide: true,
    caption: html`Bytes of an output of all ${count(summary.rows)} rows in ${summary.dtype}, with the layout's default results and without kept columns; csr and coo by threshold${curve.length > 0 ? `, from ${fromRows(sparsity)}` : ""}. This output is ${summary.layout} and weighs ${bytes(summary.bytes)} with all its columns. dense is not shown: ${denseText(sparsity)}.`,
    picture: picture("Bytes of each layout against the threshold", {
      width: 1140,
      marginLeft: 84,
      marginRight: 96,
      x: { ...TAU, domain: [1e-16, 1], ticks: 16 },
      y: {
        type: "log",
        label: "↑ bytes",
        grid: true,
        ticks: logTicks([...lines, ...weights].map((weight) => weight.bytes)),
        tickFormat: bytes,
      },
      marks: [
        Plot.ruleY(weights, {
          y: "bytes",
          stroke: "var(--muted)",
          strokeDasharray: "5,3",
        }),
        Plot.text(spread(weights), {
          x: 1,
          y: "at",
          text: "layout",
          textAnchor: "start",
          dx: 6,
        }),
        Plot.line(lines, {
          x: "threshold",
          y: "bytes",
          z: "layout",
          stroke: colorOf,
          strokeWidth: 2,
        }),
        Plot.dot(lines, { x: "threshold", y: "bytes", r: 3, fill: colorOf }),
        ...ends.map((end, k) =>
          Plot.text([end], {
            x: "threshold",
            y: "bytes",
            text: "layout",
            dy: k === 0 ? 14 : -14,
            dx: 4,
            textAnchor: "start",
            fontWeight: 600,
            fill: colorOf,
            stroke: "var(--paper)",
            strokeWidth: 4,
          }),
        ),
      ],
      color: { type: "identity" },
    }),
    table: html`${table(
      "Bytes of layouts",
      ["layout", "bytes"],
      sparsity.layouts.map(({ layout, bytes: weight, note }) => [
        layout,
        weight === null
          ? (note ?? "–")
          : `${count(weight)}${note ? ` (${note})` : ""}`,
      ]),
    )}${table(
      "Bytes of csr and coo by threshold",
      ["τ", "csr", "coo"],
      curve.map((point) => [
        digits(point.threshold),
        point.csrBytes === null ? "–" : count(point.csrBytes),
        point.cooBytes === null ? "–" : count(point.cooBytes),
      ]),
    )}`,
  });
}

function colorOf({ layout }: { layout: string }): string {
  return layout === "csr" ? "var(--bar)" : "var(--accent)";
}

function denseText({ layouts }: SparsityNumbers): string {
  const dense = layouts.find(({ layout }) => layout === "dense");
  return dense?.bytes
    ? `it would take ${bytes(dense.bytes)}`
    : "it cannot be written for so many";
}

/** Labels at least a seventh of a decade from each other. */
function spread<Line extends { bytes: number }>(
  lines: readonly Line[],
): (Line & { at: number })[] {
  let before = 0;
  return [...lines]
    .sort((a, b) => a.bytes - b.bytes)
    .map((line) => {
      const at = Math.max(line.bytes, before * 1.4);
      before = at;
      return { ...line, at };
    });
}
