import { count } from "../../number-text.js";
import type { ClassNumbers, OutputReport } from "../output-report.js";
import { digits, percent } from "./figures.js";
import { type Html, html } from "./html.js";
import { figure, lacking, numberOf, section, table } from "./parts.js";
import { Plot, picture } from "./plot.js";
import { type ShadeScale, shadeScale } from "./shades.js";

/** Up to so many classes a cell has room for its number, and every class for its label. */
const NUMBERED = 12;
const LABELLED = 60;

/** Which classes trade against which. */
export function classesSection({
  classes,
  summary,
}: Pick<OutputReport, "classes" | "summary">): Html {
  const { lacks, meanJacobian, sensitivity } = classes;
  return section(
    "classes",
    "Classes",
    html`Where a logit moves, p moves from one class to another: |J[i,j]| says how much, and J[k,k] how much class k changes in all.`,
    [
      lacking(lacks),
      html`<div class="figures">`,
      meanJacobian && heatmapFigure(classes, meanJacobian, summary.classes),
      sensitivity && sensitivityFigure(classes, sensitivity, summary.classes),
      html`</div>`,
      html`<div class="tables">`,
      sensitivity && classTable(classes, sensitivity, summary.classes),
      classes.pairs.length > 0 ? pairsTable(classes) : null,
      html`</div>`,
    ],
  );
}

/** Whose classes these are, where they are not all. */
function whichOf(shown: number, all: number): string {
  return shown < all
    ? `The ${count(shown)} of ${count(all)} classes that change most`
    : `All ${count(all)} classes`;
}

function heatmapFigure(
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
  const ticks = shown.length <= LABELLED ? {} : { ticks: [] };
  const domain = [...shown];
  return figure({
    id: "mean-jacobian",
    title: "Mean |J|: which classes trade against which",
    caption: html`Mean of |J[i,j]| over ${numberOf("jacobian-rows", rows, count(rows))} rows, all of the output. ${whichOf(shown.length, all)}, those side by side that trade most for their size (average linkage). Shades are steps of equal ratio; the diagonal, the sum of its line, is outlined and stands in the figure beside.`,
    picture: html`${picture(
      "Heatmap of the mean absolute Jacobian, class by class",
      {
        width: 560,
        height: 560,
        marginLeft: 52,
        marginBottom: 48,
        marginTop: 26,
        marginRight: 6,
        padding: shown.length > 30 ? 0 : 0.04,
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
          reverse: false,
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
                  text: (cell: { mean: number }) => shortNumber(cell.mean),
                  fill: (cell: { mean: number }) =>
                    `var(--t${scale.shade(cell.mean)})`,
                  fontSize: 11,
                }),
              ]
            : []),
        ],
      },
    )}${legend(scale)}`,
    table: isNumbered
      ? table(
          "Mean |J|",
          ["input class", ...shown.map((j) => `to ${j}`)],
          shown.map((i, a) => [
            String(i),
            ...shown.map((_, b) => digits(mean[a]?.[b] as number)),
          ]),
        )
      : null,
  });
}

/** "3e-4", for little room. */
function shortNumber(value: number): string {
  if (value === 0) return "0";
  return value >= 0.01
    ? value.toFixed(3).replace(/^0/, "")
    : value.toExponential(0);
}

function legend({ edges }: ShadeScale): Html | null {
  if (edges.length === 0) return null;
  const names = [
    `under ${digits(edges[0] as number, 2)}`,
    ...edges.map((edge) => `from ${digits(edge, 2)}`),
  ];
  return html`<ol class="legend" aria-label="Shades of the mean |J|">${names.map((name, k) => html`<li><span class="swatch s${k}"></span>${name}</li>`)}</ol>`;
}

function sensitivityFigure(
  { shown }: ClassNumbers,
  sensitivity: readonly number[],
  all: number,
): Html {
  const bars = shown.map((k) => ({ k, mean: sensitivity[k] as number }));
  return figure({
    id: "sensitivity",
    title: "Sensitivity: mean J[k,k]",
    caption: html`How much the p of a class changes with its own logit, the mean over the same rows, in the order of the heatmap; the most it can be is ¼ at T = 1. ${whichOf(shown.length, all)}.`,
    picture: picture("Mean diagonal of the Jacobian by class", {
      width: 560,
      height: 560,
      marginLeft: 52,
      marginTop: 26,
      marginBottom: 48,
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
        domain: [...shown],
        label: "class k",
        labelArrow: "none",
        labelAnchor: "top",
        ...(shown.length <= LABELLED ? {} : { ticks: [] }),
      },
      marks: [
        Plot.barX(bars, {
          x: "mean",
          y: "k",
          fill: "var(--bar)",
          inset: shown.length > 30 ? 0.5 : 1,
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

function pairsTable({ pairs, rows, shown }: ClassNumbers): Html {
  return html`<div><h3>Pairs that trade most</h3>
<p>Of the ${count(shown.length)} classes shown, from ${count(rows)} rows.</p>
${table(
  "Pairs of classes by mean |J|",
  ["classes", "mean |J[i,j]|"],
  pairs.map(({ i, j, mean }) => [
    `${i} and ${j}`,
    numberOf(`pair-${i}-${j}`, mean),
  ]),
)}</div>`;
}

function classTable(
  { shown, sensitivity: _, meanP, predicted, labelled, correct }: ClassNumbers,
  sensitivity: readonly number[],
  all: number,
): Html {
  const columns: [head: string, cell: (k: number) => string | Html][] = [
    [
      "mean J[k,k]",
      (k) => numberOf(`sensitivity-${k}`, sensitivity[k] as number),
    ],
  ];
  if (meanP)
    columns.push(["mean p", (k) => (meanP[k] as number).toPrecision(3)]);
  if (predicted)
    columns.push(["predicted", (k) => count(predicted[k] as number)]);
  if (labelled)
    columns.push([
      "labelled",
      (k) =>
        numberOf(
          `labelled-${k}`,
          labelled[k] as number,
          count(labelled[k] as number),
        ),
    ]);
  if (labelled && predicted && correct) {
    const ratio = (part: number, of: number) =>
      of > 0 ? percent(part / of) : "–";
    columns.push(
      ["right", (k) => count(correct[k] as number)],
      ["recall", (k) => ratio(correct[k] as number, labelled[k] as number)],
      ["precision", (k) => ratio(correct[k] as number, predicted[k] as number)],
    );
  }
  return html`<div><h3>By class</h3>
<p>${whichOf(shown.length, all)}${predicted ? ": how many rows have their largest p there" : ""}${labelled ? ", are labelled so, and both" : ""}.</p>
${table(
  "Numbers by class",
  ["class", ...columns.map(([head]) => head)],
  [...shown]
    .sort((a, b) => a - b)
    .map((k) => [String(k), ...columns.map(([, cell]) => cell(k))]),
)}</div>`;
}
