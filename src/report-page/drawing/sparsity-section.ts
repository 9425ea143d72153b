import { count } from "../../number-text.js";
import type { OutputReport, SparsityNumbers } from "../output-report.js";
import { digits, logTicks, percent, powerOfTen } from "./figures.js";
import { type Html, html } from "./html.js";
import { layoutsFigure } from "./layouts-figure.js";
import { figure, lacking, section, table } from "./parts.js";
import { Plot, picture } from "./plot.js";
import { fromRows, TAU } from "./sparsity-parts.js";

/** What thresholds leave, and what each layout weighs. */
export function sparsitySection({
  sparsity,
  summary,
}: Pick<OutputReport, "sparsity" | "summary">): Html {
  const { curve, reasons } = sparsity;
  const own = summary.entries;
  return section(
    "sparsity",
    "Sparsity",
    html`How many entries of the blocks --threshold τ keeps, and how large the output is in each layout.`,
    [
      lacking(reasons),
      own === null
        ? null
        : html`<ul class="facts"><li>This output stores ${count(own)} entries, ${digits(own / Math.max(1, summary.rowsWithResults))} per row of ${count(summary.classes ** 2)}${summary.droppedSum === null ? "" : html`; the dropped entries sum to ${digits(summary.droppedSum)} in |J|, and the largest is ${digits(summary.droppedMax ?? 0)}`}.</li></ul>`,
      html`<div class="figures">`,
      curve.length > 0 ? keptFigure(sparsity, summary.classes) : null,
      curve.some(({ droppedShare }) => droppedShare > 0)
        ? droppedFigure(sparsity)
        : null,
      layoutsFigure(sparsity, summary),
      html`</div>`,
    ],
  );
}

function keptFigure(sparsity: SparsityNumbers, classes: number): Html {
  const most = classes ** 2;
  const points = sparsity.curve.map((point) => ({
    ...point,
    share: (100 * point.entriesPerRow) / most,
  }));
  return figure({
    id: "entries-kept",
    title: "Entries kept",
    caption: html`Entries with |value| of at least τ, in percent of the ${count(most)} entries of a block; from ${fromRows(sparsity)}.`,
    picture: picture("Entries kept by threshold", {
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
      ["τ", "entries per row", "share of Σ|J| dropped", "largest dropped"],
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
    caption: html`Share of Σ|J[i,j]| in entries below τ, in percent, on a logarithmic axis; from ${fromRows(sparsity)}. Nothing is renormalized, so a threshold loses this share.`,
    picture: picture("Mass dropped by threshold", {
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
