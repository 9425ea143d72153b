import { count } from "../../format-number.js";
import {
  type Bins,
  type CalibrationNumbers,
  LOST,
  type UncertaintyNumbers,
} from "../numbers/confidence.js";
import type { PageNumbers } from "../output-report.js";
import {
  digits,
  figure,
  type Html,
  html,
  percent,
  powerOfTen,
  type Section,
  table,
} from "./html.js";
import { type Bar, histogram, Plot, picture } from "./plot.js";

const UNCERTAINTY_FROM: Record<string, string> = {
  uncertainty: "stored in the output",
  tail: "computed from the tail",
  log_softmax: "computed from log-softmax of the predicted class",
  p: "the sum of p of the other classes",
};
const TICKS = [0.001, 0.01, 0.1, 1]
  .flatMap((power) => [power, 2 * power, 5 * power])
  .filter((value) => value <= 1)
  .map(Math.log10);
const MAX_UNCERTAINTY_BARS = 72;

export function confidenceSection(numbers: PageNumbers): Section {
  const { summary } = numbers;
  const { rows, confidence, uncertainty, entropy, reasons } =
    numbers.confidence;
  return {
    lead: html`The confidence of a row is p of its predicted class. The uncertainty 1 − p still distinguishes rows whose confidence rounds to 1.`,
    reasons,
    content: [
      uncertainty && lostText(uncertainty),
      html`<div class="figures">`,
      uncertainty &&
        uncertainty.counts.length > 0 &&
        uncertaintyFigure(uncertainty, summary.from.uncertainty),
      confidence &&
        histogram({
          id: "largest-p",
          title: "Confidence p",
          axis: "largest p →",
          bars: barsOf(confidence),
          caption: html`Rows by p of the predicted class. All ${count(rows)} rows with results; mean ${digits(confidence.mean)}.`,
        }),
      entropy &&
        histogram({
          id: "entropy",
          title: "Entropy",
          axis: "entropy, nats →",
          bars: barsOf(entropy),
          caption: html`Rows by the entropy −Σ p log p. All ${count(entropy.counts.reduce((sum, rows) => sum + rows, 0))} rows with results; mean ${digits(entropy.mean)} nats. The maximum for ${count(summary.classes)} classes is ${digits(Math.log(summary.classes))}.`,
        }),
      html`</div>`,
    ],
  };
}

function lostText({
  rows,
  lostFloat32,
  lostFloat64,
  zero,
}: UncertaintyNumbers): Html {
  const share = (lost: number) =>
    rows > 0 ? ` (${percent(lost / rows)})` : "";
  return html`<ul class="facts">
<li><strong>${count(lostFloat32)}</strong> of ${count(rows)} rows${share(lostFloat32)} would lose their block in float32 arithmetic: 1 − p rounds to 0 there, and so does p (1 − p) of the predicted class.</li>
<li><strong>${count(lostFloat64)}</strong> rows${share(lostFloat64)} would lose it in float64 as well.</li>
${zero > 0 && html`<li>${count(zero)} rows have an uncertainty of exactly 0: one class has all of p, and the block is 0.</li>`}
</ul>
`;
}

/** Returns a histogram with a logarithmic axis, and lines where 1 − p becomes 0 in a type. */
function uncertaintyFigure(
  uncertainty: UncertaintyNumbers,
  from: string | null,
): Html {
  const { rows, mean, min, max } = uncertainty;
  const bars = barsOf(mergedBins(uncertainty));
  const first = bars[0]?.x1 ?? -1;
  // The axis includes the line of float32 if rows are near it.
  const lost = Math.log10(LOST.float32);
  const low = first < lost + 2 ? Math.min(first, lost - 1) : first;
  const lines = Object.entries(LOST)
    .map(([type, limit]) => ({ x: Math.log10(limit), type }))
    .filter(({ x }) => x > low);
  return histogram({
    id: "uncertainty",
    title: "Uncertainty 1 − p",
    wide: true,
    axis: "uncertainty →",
    bars,
    caption: html`Rows by uncertainty, on a logarithmic axis. All ${count(rows)} rows with results; mean ${digits(mean)}${min === null || max === null ? "" : `, minimum ${digits(min)}, maximum ${digits(max)}`}. The uncertainty is ${UNCERTAINTY_FROM[from ?? ""] ?? "computed"}, not the difference 1 − p.${lines.length > 0 ? " Left of a dashed line, 1 − p is 0 in that type." : ""}`,
    value: (log) => digits(10 ** log),
    x: {
      domain: [low, 0],
      tickFormat: (log: number) =>
        Number.isInteger(log) ? powerOfTen(log) : digits(10 ** log, 1),
      // Near 1, ticks at 1, 2 and 5 times powers of ten.
      ...(low > -3 && { ticks: TICKS.filter((log) => log >= low) }),
    },
    marks: [
      Plot.ruleX(lines, {
        x: "x",
        stroke: "var(--accent)",
        strokeDasharray: "4,3",
      }),
      Plot.text(lines, {
        x: "x",
        text: (line: { type: string }) => `← lost in ${line.type}`,
        frameAnchor: "top",
        textAnchor: "end",
        dx: 4,
        dy: -14,
        fill: "var(--accent)",
      }),
    ],
  });
}

/** Merges 2, 4, 8, … bins into one until at most MAX_UNCERTAINTY_BARS remain. Edges stay on the same grid. */
function mergedBins({ low, width, counts }: Bins): Bins {
  const factor =
    [1, 2, 4, 8, 16, 32].find(
      (n) => counts.length / n <= MAX_UNCERTAINTY_BARS,
    ) ?? 64;
  const first = Math.round(low / width);
  const start = Math.floor(first / factor);
  const sums: number[] = [];
  counts.forEach((rows, k) => {
    const bar = Math.floor((first + k) / factor) - start;
    sums[bar] = (sums[bar] ?? 0) + rows;
  });
  return { low: start * factor * width, width: factor * width, counts: sums };
}

function barsOf({ low, width, counts }: Bins): Bar[] {
  return counts.map((rows, k) => ({
    x1: low + k * width,
    x2: low + (k + 1) * width,
    rows,
  }));
}

export function calibrationSection({ calibration }: PageNumbers) {
  if (!calibration) return null;
  const { rows, reasons, label } = calibration;
  return {
    lead: html`How often predictions with a given confidence are correct, according to the column ${label}.`,
    reasons,
    content:
      rows > 0 &&
      html`${scores(calibration)}<div class="figures">${reliabilityFigure(calibration)}</div>`,
  };
}

function scores(numbers: CalibrationNumbers): Html {
  const { rows, unlabelled, accuracy, ece, nll, zeroP, brier } = numbers;
  return html`<ul class="facts">
<li>Accuracy <strong>${percent(accuracy ?? 0)}</strong> of ${count(rows)} rows${unlabelled > 0 ? `; ${count(unlabelled)} rows without a label are skipped` : ""}.</li>
<li>Expected calibration error <strong>${digits(ece ?? 0)}</strong> (15 bins of equal width).</li>
<li>Negative log-likelihood <strong>${nll === null ? "unknown" : digits(nll, 4)}</strong> nats per row${zeroP > 0 ? `; ${count(zeroP)} rows whose label has p = 0 are skipped, since theirs is infinite` : ""}.</li>
<li>Brier score <strong>${digits(brier ?? 0, 4)}</strong>, the mean of Σ (p − y)² with y = 1 for the label and 0 for the other classes: 0 is perfect, 2 is the worst.</li>
</ul>
`;
}

function reliabilityFigure({ bins, rows }: CalibrationNumbers): Html {
  const full = bins.filter((bin) => bin.rows > 0);
  return figure({
    id: "reliability",
    title: "Reliability",
    caption: html`Bars: share of correct predictions by confidence, in 15 bins of equal width. Dots are at the mean confidence of a bin; lines connect them to the diagonal, where accuracy equals confidence. ${count(rows)} rows with a label.`,
    picture: picture("Reliability diagram: accuracy against confidence", {
      height: 380,
      x: { domain: [0, 1], label: "confidence →" },
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
