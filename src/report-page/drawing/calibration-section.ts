import { count } from "../../number-text.js";
import type {
  CalibrationNumbers,
  TemperatureNumbers,
} from "../output-report.js";
import { axisCount, digits, percent } from "./figures.js";
import { type Html, html } from "./html.js";
import { figure, lacking, numberOf, section, table } from "./parts.js";
import { Plot, picture } from "./plot.js";

/** How well confidence tells how often rows are right. */
export function calibrationSection(numbers: CalibrationNumbers): Html {
  const { rows, temperature, lacks, label } = numbers;
  return section(
    "calibration",
    "Calibration",
    html`How often rows of a confidence are right, by the labels of column ${label}; and what another temperature would change.`,
    [
      lacking(lacks),
      rows > 0 ? factsOf(numbers) : null,
      rows > 0
        ? html`<div class="figures">${reliabilityFigure(numbers)}${rowsFigure(numbers)}${temperature && [curveFigure(temperature, "nll"), curveFigure(temperature, "ece")]}</div>`
        : null,
    ],
  );
}

function factsOf(numbers: CalibrationNumbers): Html {
  const { rows, unlabelled, accuracy, ece, nll, impossible, temperature } =
    numbers;
  return html`<ul class="facts">
<li>Accuracy <strong>${numberOf("accuracy", accuracy, percent(accuracy ?? 0))}</strong> of ${numberOf("labelled-rows", rows, count(rows))} rows${unlabelled > 0 ? html`; ${numberOf("unlabelled-rows", unlabelled, count(unlabelled))} rows have no label that is a class, and are left out` : null}.</li>
<li>Expected calibration error <strong>${numberOf("ece", ece)}</strong> (15 bins of equal width).</li>
<li>Negative log-likelihood <strong>${numberOf("nll", nll, digits(nll ?? 0, 4))}</strong> nats a row${impossible > 0 ? html`; ${numberOf("impossible-rows", impossible, count(impossible))} rows whose label has p = 0, and so an infinite one, are left out` : null}.</li>
${temperature && bestText(temperature)}
</ul>
`;
}

function bestText({ best, now, rows, isSample }: TemperatureNumbers): Html {
  const from = html`from ${isSample ? "a random sample of " : ""}${count(rows)} rows`;
  if (best.atEnd)
    return html`<li>No best temperature: the NLL goes on falling towards T = ${numberOf("best-temperature", best.temperature)}, where the search ends (${from}).</li>`;
  return html`<li>Best temperature <strong>${numberOf("best-temperature", best.temperature, digits(best.temperature, 4))}</strong>, on top of the output's own: NLL ${numberOf("best-nll", best.nll, digits(best.nll, 4))} in the place of ${digits(now.nll, 4)}, ECE ${numberOf("best-ece", best.ece)} in the place of ${digits(now.ece)} (${from}).</li>`;
}

function reliabilityFigure({ bins, rows }: CalibrationNumbers): Html {
  const full = bins.filter((bin) => bin.rows > 0);
  return figure({
    id: "reliability",
    title: "Reliability",
    caption: html`Bars: the part of rows that are right, by confidence, in 15 bins of equal width; dots stand at a bin's mean confidence, and lines lead from them to the diagonal, where accuracy is what confidence says. ${count(rows)} rows with a label.`,
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
      [
        "confidence, low end",
        "high end",
        "rows",
        "mean confidence",
        "accuracy",
      ],
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
  return figure({
    id: "reliability-rows",
    title: "Rows of each bin",
    caption: html`How many of the ${count(rows)} rows with a label each bin of the reliability diagram has: bins of few rows say little.`,
    picture: picture(
      "Histogram: rows by confidence, in the 15 bins of the reliability diagram",
      {
        height: 380,
        x: { domain: [0, 1], label: "confidence →" },
        y: { label: "↑ rows", grid: true, tickFormat: axisCount, nice: true },
        marks: [
          Plot.rectY(bins, {
            x1: "low",
            x2: "high",
            y: "rows",
            fill: "var(--bar)",
            insetLeft: 0.5,
            insetRight: 0.5,
          }),
          Plot.text(
            bins.filter((bin) => bin.rows > 0),
            {
              x: (bin: { low: number; high: number }) =>
                (bin.low + bin.high) / 2,
              y: "rows",
              text: (bin: { rows: number }) => axisCount(bin.rows),
              dy: -7,
              fontSize: 11,
            },
          ),
          Plot.ruleY([0]),
        ],
      },
    ),
  });
}

/** Powers of two from the first T to the last. */
function ticksOf(curve: TemperatureNumbers["curve"]): number[] {
  const logs = curve.map(({ temperature }) => Math.log2(temperature));
  const [low, high] = [Math.min(...logs) - 1e-9, Math.max(...logs) + 1e-9];
  return Array.from({ length: 16 }, (_, k) => k - 8)
    .filter((log) => log >= low && log <= high)
    .map((log) => 2 ** log);
}

const SCORES = {
  nll: {
    title: "NLL against T",
    axis: "↑ NLL, nats a row",
    text: "Mean negative log-likelihood",
  },
  ece: {
    title: "ECE against T",
    axis: "↑ ECE",
    text: "Expected calibration error",
  },
} as const;

function curveFigure(
  { curve, now, best, rows, isSample }: TemperatureNumbers,
  score: "nll" | "ece",
): Html {
  const { title, axis, text } = SCORES[score];
  // The two names lie on the sides of the other, so that neither stands over its point.
  const isRight = best.temperature > 1;
  const marked = [
    { ...now, name: "T = 1", side: isRight ? -1 : 1 },
    ...(best.atEnd ? [] : [{ ...best, name: "best", side: isRight ? 1 : -1 }]),
  ];
  const all = [...curve, ...marked].sort(
    (a, b) => a.temperature - b.temperature,
  );
  return figure({
    id: `${score}-curve`,
    title,
    caption: html`${text} if the logits were divided by another T as well (T = 1: the output as it is), from ${isSample ? "a random sample of " : ""}${count(rows)} rows with a label${isSample ? "" : ", all that there are"}.`,
    picture: picture(`${text} against temperature`, {
      x: {
        type: "log",
        label: "T →",
        grid: true,
        tickFormat: "~g",
        ticks: ticksOf(curve),
      },
      y: { label: axis, grid: true, nice: true, zero: score === "ece" },
      marks: [
        Plot.line(all, {
          x: "temperature",
          y: score,
          stroke: "var(--bar)",
          strokeWidth: 2,
        }),
        Plot.dot(marked, {
          x: "temperature",
          y: score,
          fill: "var(--accent)",
          r: 4,
        }),
        ...marked.map((mark) =>
          Plot.text([mark], {
            x: "temperature",
            y: score,
            text: "name",
            dx: 7 * mark.side,
            dy: -13,
            textAnchor: mark.side < 0 ? "end" : "start",
          }),
        ),
      ],
    }),
    table: table(
      title,
      ["T", score === "nll" ? "NLL" : "ECE"],
      all.map((point) => [
        digits(point.temperature, 4),
        digits(point[score], 4),
      ]),
    ),
  });
}
