import { count } from "../../number-text.js";
import { LOST } from "../gather/certainty-sums.js";
import type { Bins, ConfidenceNumbers } from "../output-report.js";
import { axisCount, digits, logTicks, powerOfTen } from "./figures.js";
import { type Html, html } from "./html.js";
import { figure, numberOf, table } from "./parts.js";
import { Plot, picture } from "./plot.js";

type Uncertainty = NonNullable<ConfidenceNumbers["uncertainty"]>;

const DOUBT_FROM: Record<string, string> = {
  uncertainty: "stored in the output",
  tail: "computed from the tail",
  log_softmax: "computed from log-softmax of the predicted class",
  p: "the sum of p of the other classes",
};

/** Rows by uncertainty, on a logarithmic axis: what other tools cannot show, since they have 0 there. */
export function uncertaintyFigure(
  uncertainty: Uncertainty,
  from: string | null,
): Html {
  const bars = wider(uncertainty);
  const rules = Object.entries(LOST).map(([type, least]) => ({
    x: Math.log10(least),
    type,
  }));
  const least = bars[0]?.x1 ?? -1;
  // Where rows come near to what is lost, it is to be seen how near.
  const lost = Math.log10(LOST.float32);
  const low = least < lost + 2 ? Math.min(least, lost - 1) : least;
  const shown = rules.filter(({ x }) => x > low);
  const label = `Histogram of log10 of the uncertainty of ${count(uncertainty.rows)} rows`;
  return figure({
    id: "uncertainty",
    title: "Uncertainty 1 − p",
    wide: true,
    caption: html`Rows by uncertainty, on a logarithmic axis. All ${count(uncertainty.rows)} rows; mean ${numberOf("mean-uncertainty", uncertainty.mean)}${uncertainty.min === null ? "" : html`, minimum ${numberOf("least-uncertainty", uncertainty.min)}, maximum ${numberOf("largest-uncertainty", uncertainty.max)}`}. The uncertainty is ${DOUBT_FROM[from ?? ""] ?? "computed"}, not the difference 1 − p.${shown.length > 0 ? " Left of a dashed line, 1 − p is 0 in that type." : ""}`,
    picture: picture(label, {
      width: 1140,
      x: {
        domain: [low, 0],
        label: "uncertainty →",
        tickFormat: (log: number) =>
          Number.isInteger(log) ? powerOfTen(log) : digits(10 ** log, 1),
        ticks: ticksFrom(low),
      },
      y: { label: "↑ rows", grid: true, tickFormat: axisCount, nice: true },
      marks: [
        Plot.rectY(bars, {
          x1: "x1",
          x2: "x2",
          y: "rows",
          fill: "var(--bar)",
          insetLeft: 0.5,
          insetRight: 0.5,
        }),
        Plot.ruleX(shown, {
          x: "x",
          stroke: "var(--accent)",
          strokeDasharray: "4,3",
        }),
        Plot.text(shown, {
          x: "x",
          text: (rule: { type: string }) => `← lost in ${rule.type}`,
          frameAnchor: "top",
          textAnchor: "end",
          dx: 4,
          dy: -14,
          fill: "var(--accent)",
        }),
        Plot.ruleY([0]),
      ],
    }),
    table: table(
      "Rows by uncertainty",
      ["uncertainty from", "to", "rows"],
      bars.map(({ x1, x2, rows }) => [
        digits(10 ** x1),
        digits(10 ** x2),
        count(rows),
      ]),
    ),
  });
}

/** Whole powers of ten; near 1 what lies between as well. */
function ticksFrom(low: number): number[] {
  if (low > -3) return logTicks([10 ** low, 1]).map(Math.log10);
  const step = Math.ceil(-low / 14);
  return Array.from(
    { length: Math.floor(-low / step) + 1 },
    (_, k) => 0 - k * step,
  );
}

/** As few bins as can be looked at, joined from whole ones so that they end on even powers. */
function wider({
  low,
  width,
  counts,
}: Bins): { x1: number; x2: number; rows: number }[] {
  if (counts.length === 0) return [];
  const first = Math.round(low / width);
  const join =
    [1, 2, 4, 8, 16, 32, 64].find((n) => counts.length / n <= 72) ?? 64;
  const rows = new Map<number, number>();
  counts.forEach((found, k) => {
    const bin = Math.floor((first + k) / join);
    rows.set(bin, (rows.get(bin) ?? 0) + found);
  });
  return [...rows].map(([bin, found]) => ({
    x1: bin * join * width,
    x2: (bin + 1) * join * width,
    rows: found,
  }));
}
