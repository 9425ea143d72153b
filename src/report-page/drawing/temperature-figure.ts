import { count } from "../../number-text.js";
import type { TemperatureNumbers } from "../output-report.js";
import { digits } from "./figures.js";
import { type Html, html } from "./html.js";
import { figure, table } from "./parts.js";
import { Plot, picture } from "./plot.js";

const SCORES = {
  nll: {
    title: "NLL against T",
    axis: "↑ NLL, nats per row",
    text: "Mean negative log-likelihood",
  },
  ece: {
    title: "ECE against T",
    axis: "↑ ECE",
    text: "Expected calibration error",
  },
} as const;

/** A score against temperature. */
export function curveFigure(
  { curve, current, best, rows, isSample }: TemperatureNumbers,
  score: "nll" | "ece",
): Html {
  const { title, axis, text } = SCORES[score];
  // The two names lie on the sides of the other, so that neither stands over its point.
  const isRight = best.temperature > 1;
  const marked = [
    { ...current, name: "T = 1", side: isRight ? -1 : 1 },
    ...(best.atEnd ? [] : [{ ...best, name: "best", side: isRight ? 1 : -1 }]),
  ];
  const all = [...curve, ...marked].sort(
    (a, b) => a.temperature - b.temperature,
  );
  return figure({
    id: `${score}-curve`,
    title,
    caption: html`${text} if the logits were divided by a further temperature T (T = 1: the output as it is). From ${isSample ? "a random sample of " : "all "}${count(rows)} rows with a label.`,
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

/** Powers of two from the first T to the last. */
function ticksOf(curve: TemperatureNumbers["curve"]): number[] {
  const logs = curve.map(({ temperature }) => Math.log2(temperature));
  const [low, high] = [Math.min(...logs) - 1e-9, Math.max(...logs) + 1e-9];
  return Array.from({ length: 16 }, (_, k) => k - 8)
    .filter((log) => log >= low && log <= high)
    .map((log) => 2 ** log);
}
