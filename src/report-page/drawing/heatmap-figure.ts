import { count } from "../../number-text.js";
import type { ClassNumbers } from "../output-report.js";
import { frameOf, isNamed, ticksOf } from "./class-frame.js";
import { cellNumber, digits, tellingDigits } from "./figures.js";
import { type Html, html } from "./html.js";
import { figure, numberOf, table } from "./parts.js";
import { Plot, picture } from "./plot.js";
import { type ShadeScale, shadeScale } from "./shades.js";
import { whichOf } from "./which-classes.js";

/** Up to so many classes a cell has room for its number. */
const NUMBERED = 12;
/** And up to so many there is a table of the same; of more, the page has them as JSON. */
const TABLED = 40;

/** Which classes trade against which: mean |J|, class by class. */
export function heatmapFigure(
  { shown, rows }: ClassNumbers,
  mean: readonly (readonly number[])[],
  all: number,
): Html {
  const cells = shown.flatMap((i, a) =>
    shown.map((j, b) => ({ i, j, mean: mean[a]?.[b] as number })),
  );
  const others = cells.filter(({ i, j }) => i !== j);
  const scale = shadeScale(others.map((cell) => cell.mean));
  const isNumbered = shown.length <= NUMBERED;
  const ticks = ticksOf(shown);
  const domain = [...shown];
  return figure({
    id: "mean-jacobian",
    title: "Mean |J| between classes",
    caption: html`Mean of |J[i,j]| over ${numberOf("jacobian-rows", rows, count(rows))} rows. ${whichOf(shown.length, all)}. Shades are steps of equal ratio. The diagonal is outlined; the table by class has it.`,
    picture: html`${picture(
      "Heatmap of the mean absolute Jacobian, class by class",
      {
        ...frameOf(shown),
        marginRight: 6,
        padding: 0,
        x: {
          domain,
          label: "output class j →",
          tickRotate: isNumbered ? 0 : -90,
          ...ticks,
        },
        y: {
          domain,
          label: "input class i",
          labelArrow: "none",
          labelAnchor: "top",
          ...ticks,
        },
        color: { type: "identity" },
        marks: [
          Plot.cell(others, {
            x: "j",
            y: "i",
            fill: (cell: { mean: number }) =>
              `var(--h${scale.shade(cell.mean)})`,
            inset: shown.length > 30 ? 0 : 1,
          }),
          Plot.cell(
            cells.filter(({ i, j }) => i === j),
            { x: "j", y: "i", fill: "none", stroke: "var(--line)", inset: 1 },
          ),
          ...(isNumbered
            ? [
                Plot.text(others, {
                  x: "j",
                  y: "i",
                  text: (cell: { mean: number }) => cellNumber(cell.mean),
                  fill: (cell: { mean: number }) =>
                    `var(--t${scale.shade(cell.mean)})`,
                  fontSize: 11,
                }),
              ]
            : []),
        ],
      },
    )}${legend(scale)}`,
    table: tableOf(shown, mean),
  });
}

/** The same as numbers; of many classes, which the page has as JSON, what the axes have no room for. */
function tableOf(
  shown: readonly number[],
  mean: readonly (readonly number[])[],
): Html | null {
  if (shown.length > TABLED)
    return isNamed(shown)
      ? null
      : html`<p>Classes of the heatmap: ${shown.join(", ")}.</p>`;
  return table(
    "Mean |J|",
    ["input class", ...shown.map((j) => `to ${j}`)],
    shown.map((i, a) => [
      String(i),
      ...shown.map((_, b) => digits(mean[a]?.[b] as number)),
    ]),
  );
}

function legend({ edges }: ShadeScale): Html | null {
  if (edges.length === 0) return null;
  const most = tellingDigits(edges);
  const names = [
    `below ${digits(edges[0] as number, most)}`,
    ...edges.map((edge) => `from ${digits(edge, most)}`),
  ];
  return html`<ol class="legend" aria-label="Shades of the mean |J|">${names.map((name, k) => html`<li><span class="swatch s${k}"></span>${name}</li>`)}</ol>`;
}
