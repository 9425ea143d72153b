import { count } from "../../number-text.js";
import type { CalibrationNumbers } from "../output-report.js";
import { digits, percent } from "./figures.js";
import { type Html, html } from "./html.js";
import { lacking, numberOf, section } from "./parts.js";
import { reliabilityFigure, rowsFigure } from "./reliability-figures.js";

/** How well confidence tells how often rows are right. */
export function calibrationSection(numbers: CalibrationNumbers): Html {
  const { rows, reasons, label } = numbers;
  return section(
    "calibration",
    "Calibration",
    html`How often predictions with a given confidence are correct, according to the column ${label}.`,
    [
      lacking(reasons),
      rows > 0 ? factsOf(numbers) : null,
      rows > 0
        ? html`<div class="figures">${reliabilityFigure(numbers)}${rowsFigure(numbers)}</div>`
        : null,
    ],
  );
}

function factsOf(numbers: CalibrationNumbers): Html {
  const { rows, unlabelled, accuracy, ece, nll, zeroP, brier } = numbers;
  return html`<ul class="facts">
<li>Accuracy <strong>${numberOf("accuracy", accuracy, percent(accuracy ?? 0))}</strong> of ${numberOf("labelled-rows", rows, count(rows))} rows${unlabelled > 0 ? html`; ${numberOf("unlabelled-rows", unlabelled, count(unlabelled))} rows without a label are skipped` : null}.</li>
<li>Expected calibration error <strong>${numberOf("ece", ece)}</strong> (15 bins of equal width).</li>
<li>Negative log-likelihood <strong>${numberOf("nll", nll, digits(nll ?? 0, 4))}</strong> nats per row${zeroP > 0 ? html`; ${numberOf("impossible-rows", zeroP, count(zeroP))} rows whose label has p = 0 are skipped, since theirs is infinite` : null}.</li>
<li>Brier score <strong>${numberOf("brier", brier, digits(brier ?? 0, 4))}</strong>, the mean of Σ (p − y)² with y = 1 for the label and 0 for the other classes: 0 is perfect, 2 is the worst.</li>
</ul>
`;
}
