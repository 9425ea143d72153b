import { count } from "../../number-text.js";
import type {
  CalibrationNumbers,
  TemperatureNumbers,
} from "../output-report.js";
import { digits, percent } from "./figures.js";
import { type Html, html } from "./html.js";
import { lacking, numberOf, section } from "./parts.js";
import { reliabilityFigure, rowsFigure } from "./reliability-figures.js";
import { curveFigure } from "./temperature-figure.js";

/** How well confidence tells how often rows are right. */
export function calibrationSection(numbers: CalibrationNumbers): Html {
  const { rows, temperature, reasons, label } = numbers;
  return section(
    "calibration",
    "Calibration",
    html`How often predictions with a given confidence are correct, according to the column ${label}, and how another temperature would change that.`,
    [
      lacking(reasons),
      rows > 0 ? factsOf(numbers) : null,
      rows > 0
        ? html`<div class="figures">${reliabilityFigure(numbers)}${rowsFigure(numbers)}${temperature && [curveFigure(temperature, "nll"), curveFigure(temperature, "ece")]}</div>`
        : null,
    ],
  );
}

function factsOf(numbers: CalibrationNumbers): Html {
  const { rows, unlabelled, accuracy, ece, nll, zeroP, temperature } = numbers;
  return html`<ul class="facts">
<li>Accuracy <strong>${numberOf("accuracy", accuracy, percent(accuracy ?? 0))}</strong> of ${numberOf("labelled-rows", rows, count(rows))} rows${unlabelled > 0 ? html`; ${numberOf("unlabelled-rows", unlabelled, count(unlabelled))} rows without a label are skipped` : null}.</li>
<li>Expected calibration error <strong>${numberOf("ece", ece)}</strong> (15 bins of equal width).</li>
<li>Negative log-likelihood <strong>${numberOf("nll", nll, digits(nll ?? 0, 4))}</strong> nats per row${zeroP > 0 ? html`; ${numberOf("impossible-rows", zeroP, count(zeroP))} rows whose label has p = 0 are skipped, since theirs is infinite` : null}.</li>
${temperature && bestText(temperature)}
</ul>
`;
}

function bestText({ best, current, rows, isSample }: TemperatureNumbers): Html {
  const from = html`from ${isSample ? "a random sample of " : ""}${count(rows)} rows`;
  if (best.atEnd)
    return html`<li>No best temperature: the NLL decreases up to the end of the search range, T = ${numberOf("best-temperature", best.temperature)} (${from}).</li>`;
  return html`<li>Best temperature <strong>${numberOf("best-temperature", best.temperature, digits(best.temperature, 4))}</strong> (it multiplies the temperature of the output): NLL ${numberOf("best-nll", best.nll, digits(best.nll, 4))} instead of ${digits(current.nll, 4)}, ECE ${numberOf("best-ece", best.ece)} instead of ${digits(current.ece)} (${from}).</li>`;
}
