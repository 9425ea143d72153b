import { count } from "../../format-number.js";
import type { CalibrationNumbers, OutputReport } from "../output-report.js";
import { digits, percent } from "./digits.js";
import {
  figure,
  type Html,
  html,
  reasonsText,
  section,
  table,
} from "./html.js";
import { histogram, Plot, picture } from "./plot.js";

/** Returns scores and the reliability diagram; null without labels. */
export function calibrationSection({
  calibration,
}: Pick<OutputReport, "calibration">): Html | null {
  if (!calibration) return null;
  const { rows, reasons, label } = calibration;
  return section(
    "calibration",
    "Calibration",
    html`How often predictions with a given confidence are correct, according to the column ${label}.`,
    [
      reasonsText(reasons),
      rows > 0
        ? html`${scores(calibration)}<div class="figures">${reliabilityFigure(calibration)}${rowsFigure(calibration)}</div>`
        : null,
    ],
  );
}

function scores(numbers: CalibrationNumbers): Html {
  const { rows, unlabelled, accuracy, ece, nll, zeroP, brier } = numbers;
  return html`<ul class="facts">
<li>Accuracy <strong>${percent(accuracy ?? 0)}</strong> of ${count(rows)} rows${unlabelled > 0 ? `; ${count(unlabelled)} rows without a label are skipped` : null}.</li>
<li>Expected calibration error <strong>${digits(ece ?? 0)}</strong> (15 bins of equal width).</li>
<li>Negative log-likelihood <strong>${nll === null ? "unknown" : digits(nll, 4)}</strong> nats per row${zeroP > 0 ? `; ${count(zeroP)} rows whose label has p = 0 are skipped, since theirs is infinite` : null}.</li>
<li>Brier score <strong>${digits(brier ?? 0, 4)}</strong>, the mean of Σ (p − y)² with y = 1 for the label and 0 for the other classes: 0 is perfect, 2 is the worst.</li>
</ul>
`;
}

const HEIGHT = 380;
const X = { domain: [0, 1], label: "confidence →" };

function reliabilityFigure({ bins, rows }: CalibrationNumbers): Html {
  const full = bins.filter((bin) => bin.rows > 0);
  return figure({
    id: "reliability",
    title: "Reliability",
    caption: html`Bars: share of correct predictions by confidence, in 15 bins of equal width. Dots are at the mean confidence of a bin; lines connect them to the diagonal, where accuracy equals confidence. ${count(rows)} rows with a label.`,
    picture: picture("Reliability diagram: accuracy against confidence", {
      height: HEIGHT,
      x: X,
      y: { domain: [0, 1], label: "↑ accuracy", grid: true },
      marks: [
        Plot.rectY(full, {
          x1: "low",
          x2: "high",
          y: "accuracy",
          fill: "var(--bar-soft)",
          insetLeft: 0.5,
          insetRight: 0.5,
        }),
        Plot.line(
          [
            [0, 0],
            [1, 1],
          ],
          { stroke: "currentColor", strokeDasharray: "4,3" },
        ),
        Plot.ruleX(full, {
          x: "confidence",
          y1: "accuracy",
          y2: "confidence",
          stroke: "var(--accent)",
          strokeWidth: 2.5,
        }),
        Plot.dot(full, {
          x: "confidence",
          y: "accuracy",
          fill: "var(--bar)",
          r: 4,
        }),
        Plot.ruleY([0]),
      ],
    }),
    table: table(
      "Accuracy by confidence",
      ["confidence from", "to", "rows", "mean confidence", "accuracy"],
      bins.map((bin) => [
        digits(bin.low),
        digits(bin.high),
        count(bin.rows),
        bin.confidence === null ? "–" : digits(bin.confidence, 4),
        bin.accuracy === null ? "–" : digits(bin.accuracy, 4),
      ]),
    ),
  });
}

function rowsFigure({ bins, rows }: CalibrationNumbers): Html {
  return histogram({
    id: "reliability-rows",
    title: "Rows per bin",
    axis: X.label,
    bars: bins.map(({ low, high, rows }) => ({ x1: low, x2: high, rows })),
    caption: html`Number of rows in each bin of the reliability diagram, of ${count(rows)} rows with a label. Bins with few rows are unreliable.`,
    height: HEIGHT,
  });
}
