import type { OutputReport } from "../output-report.js";
import { classTable, pairsTable } from "./class-tables.js";
import { heatmapFigure } from "./heatmap-figure.js";
import { type Html, html } from "./html.js";
import { lacking, section } from "./parts.js";

/** Which classes trade against which. */
export function classesSection({
  classes,
  summary,
}: Pick<OutputReport, "classes" | "summary">): Html {
  const { reasons, meanJacobian, sensitivity } = classes;
  const hasPairs = summary.classes > 1;
  return section(
    "classes",
    "Classes",
    html`Raising the logit of a class moves probability to it from the other classes. |J[i,j]| is the rate between classes i and j, and J[k,k] the total rate of class k.`,
    [
      lacking(reasons),
      html`<div class="figures">`,
      hasPairs && meanJacobian
        ? heatmapFigure(classes, meanJacobian, summary.classes)
        : null,
      html`</div>`,
      html`<div class="tables">`,
      sensitivity && classTable(classes, sensitivity, summary.classes),
      classes.pairs.length > 0 ? pairsTable(classes) : null,
      html`</div>`,
    ],
  );
}
