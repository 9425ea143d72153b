import { count } from "../../number-text.js";
import type { CalibrationNumbers } from "../output-report.js";
import { axisCount, digits } from "./figures.js";
import { type Html, html } from "./html.js";
import { figure, table } from "./parts.js";
import { Plot, picture } from "./plot.js";

/** Accuracy against confidence. */
export function reliabilityFigure({ bins, rows }: CalibrationNumbers): Html {
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

/** Draws the number of rows in each bin. */
export function rowsFigure({ bins, rows }: CalibrationNumbers): Html {
  return figure({
    id: "reliability-rows",
    title: "Rows per bin",
    caption: html`Number of rows in each bin of the reliability diagram, of ${count(rows)} rows with a label. Bins with few rows are unreliable.`,
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
