import { count } from "../../number-text.js";
import type {
  Bins,
  ConfidenceNumbers,
  OutputReport,
} from "../output-report.js";
import { axisCount, digits, percent } from "./figures.js";
import { type Html, html } from "./html.js";
import {
  type FigureSpec,
  figure,
  lacking,
  numberOf,
  section,
  table,
} from "./parts.js";
import { Plot, picture } from "./plot.js";
import { uncertaintyFigure } from "./uncertainty-figure.js";

/** How sure the rows are. */
export function certaintySection({
  confidence: numbers,
  summary,
}: Pick<OutputReport, "confidence" | "summary">): Html {
  const { confidence, uncertainty, entropy, reasons } = numbers;
  return section(
    "certainty",
    "Confidence",
    html`The confidence of a row is p of its predicted class. The uncertainty 1 − p still distinguishes rows whose confidence rounds to 1.`,
    [
      uncertainty && lostText(uncertainty),
      lacking(reasons),
      html`<div class="figures">`,
      uncertainty && uncertainty.counts.length > 0
        ? uncertaintyFigure(uncertainty, summary.from.uncertainty)
        : null,
      confidence && confidenceFigure(confidence, numbers.rows),
      entropy && entropyFigure(entropy, summary.classes),
      html`</div>`,
    ],
  );
}

type Uncertainty = NonNullable<ConfidenceNumbers["uncertainty"]>;

function lostText({ rows, lostFloat32, lostFloat64, zero }: Uncertainty): Html {
  const share = (lost: number) =>
    rows > 0 ? ` (${percent(lost / rows)})` : "";
  return html`<ul class="facts">
<li><strong>${numberOf("lost-float32", lostFloat32, count(lostFloat32))}</strong> of ${count(rows)} rows${share(lostFloat32)} would lose their block in float32 arithmetic: 1 − p rounds to 0 there, and so does p (1 − p) of the predicted class.</li>
<li><strong>${numberOf("lost-float64", lostFloat64, count(lostFloat64))}</strong> rows${share(lostFloat64)} would lose it in float64 as well.</li>
${zero > 0 ? html`<li>${numberOf("zero-uncertainty", zero, count(zero))} rows have an uncertainty of exactly 0: one class has all of p, and the block is 0.</li>` : null}
</ul>
`;
}

function confidenceFigure(bins: Bins & { mean: number }, rows: number): Html {
  return histogram({
    id: "confidence",
    title: "Confidence p",
    axis: "largest p →",
    bins,
    caption: html`Rows by p of the predicted class. All ${count(rows)} rows; mean ${numberOf("mean-confidence", bins.mean)}.`,
  });
}

function entropyFigure(bins: Bins & { mean: number }, classes: number): Html {
  const rows = bins.counts.reduce((sum, found) => sum + found, 0);
  return histogram({
    id: "entropy",
    title: "Entropy",
    axis: "entropy, nats →",
    bins,
    caption: html`Rows by the entropy −Σ p log p. All ${count(rows)} rows; mean ${numberOf("mean-entropy", bins.mean)} nats. The maximum for ${count(classes)} classes is ${digits(Math.log(classes))}.`,
  });
}

function histogram({
  bins,
  axis,
  ...spec
}: Pick<FigureSpec, "id" | "title" | "caption"> & {
  bins: Bins;
  axis: string;
}): Html {
  const bars = bins.counts.map((rows, k) => ({
    x1: bins.low + k * bins.width,
    x2: bins.low + (k + 1) * bins.width,
    rows,
  }));
  return figure({
    ...spec,
    picture: picture(`Histogram: ${spec.title}`, {
      x: { label: axis, domain: [bins.low, bars.at(-1)?.x2 ?? 1] },
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
        Plot.ruleY([0]),
      ],
    }),
    table: table(
      `Rows by ${spec.title}`,
      ["from", "to", "rows"],
      bars.map(({ x1, x2, rows }) => [digits(x1), digits(x2), count(rows)]),
    ),
  });
}
