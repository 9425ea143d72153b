import type { ClassNumbers } from "../output-report.js";
import { frameOf, ticksOf } from "./class-frame.js";
import { digits } from "./figures.js";
import { type Html, html } from "./html.js";
import { figure } from "./parts.js";
import { Plot, picture } from "./plot.js";
import { whichOf } from "./which-classes.js";

/** How much each class changes in all: the mean diagonal. */
export function sensitivityFigure(
  { shown }: ClassNumbers,
  sensitivity: readonly number[],
  all: number,
): Html {
  const bars = shown.map((k) => ({ k, mean: sensitivity[k] as number }));
  return figure({
    id: "sensitivity",
    title: "Sensitivity: mean J[k,k]",
    caption: html`Mean rate at which p of a class changes with its own logit, over the same rows and in the order of the heatmap. The maximum is ¼ at T = 1. ${whichOf(shown.length, all)}.`,
    picture: picture("Mean diagonal of the Jacobian by class", {
      ...frameOf(shown),
      marginRight: 66,
      x: {
        label: "mean J[k,k] →",
        grid: true,
        nice: true,
        ticks: 5,
        tickFormat: (value: number) => digits(value, 2),
      },
      y: {
        type: "band",
        padding: 0,
        domain: [...shown],
        label: "class k",
        labelArrow: "none",
        labelAnchor: "top",
        ...ticksOf(shown),
      },
      marks: [
        Plot.barX(bars, {
          x: "mean",
          y: "k",
          fill: "var(--bar)",
          inset: shown.length > 30 ? 0.5 : 2,
        }),
        ...(shown.length <= 40
          ? [
              Plot.text(bars, {
                x: "mean",
                y: "k",
                text: (bar: { mean: number }) => digits(bar.mean, 2),
                textAnchor: "start",
                dx: 4,
                fontSize: 11,
              }),
            ]
          : []),
        Plot.ruleX([0]),
      ],
    }),
  });
}
