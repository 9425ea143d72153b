import type { OutputReport } from "../output-report.js";
import { classTable, pairsTable } from "./class-tables.js";
import { heatmapFigure } from "./heatmap-figure.js";
import { type Html, html } from "./html.js";
import { lacking, section } from "./parts.js";
import { sensitivityFigure } from "./sensitivity-figure.js";

/** Which classes trade against which. */
export function classesSection({
  classes,
  summary,
}: Pick<OutputReport, "classes" | "summary">): Html {
  const { lacks, meanJacobian, sensitivity } = classes;
  const hasPairs = summary.classes > 1;
  return section(
    "classes",
    "Classes",
    html`Where a logit moves, p moves from one class to another: |J[i,j]| says how much, and J[k,k] how much class k changes in all.`,
    [
      lacking(lacks),
      html`<div class="figures">`,
      hasPairs && meanJacobian
        ? heatmapFigure(classes, meanJacobian, summary.classes)
        : null,
      hasPairs && sensitivity
        ? sensitivityFigure(classes, sensitivity, summary.classes)
        : null,
      html`</div>`,
      html`<div class="tables">`,
      sensitivity && classTable(classes, sensitivity, summary.classes),
      classes.pairs.length > 0 ? pairsTable(classes) : null,
      html`</div>`,
    ],
  );
}
