import { count } from "../../format-number.js";
import type { ClassNumbers } from "../numbers/classes.js";
import type { PageNumbers } from "../output-report.js";
import {
  cellNumber,
  digits,
  type FigureSpec,
  figure,
  type Html,
  html,
  percent,
  type Section,
  table,
} from "./html.js";
import { Plot, picture, shadeScale } from "./plot.js";

/** Maximum numbers of classes for numbers in cells, a table of the cells, and names at the axes. */
const MAX_NUMBERED = 12;
const MAX_TABLED = 40;
const MAX_NAMED = 60;

/** Returns mean |J| and the confusion matrix of the shown classes, and a table by class. */
export function classesSection({ classes, summary }: PageNumbers): Section {
  const { reasons, meanJacobian, confusion, sensitivity } = classes;
  const { shown, labelled } = classes;
  const all = count(summary.classes);
  const which =
    shown.length < summary.classes
      ? `The ${count(shown.length)} of ${all} classes with the largest mean J[k,k]`
      : summary.classes === 1
        ? "The one class"
        : `All ${all} classes`;
  const hasPairs = summary.classes > 1;
  return {
    lead: html`Raising the logit of a class moves probability to it from the other classes. |J[i,j]| is the rate between classes i and j, and J[k,k] the total rate of class k.`,
    reasons,
    content: [
      html`<div class="figures">`,
      hasPairs &&
        meanJacobian &&
        matrixFigure({
          id: "mean-jacobian",
          title: "Mean |J| between classes",
          caption: html`Mean of |J[i,j]| over ${count(classes.rows)} rows. ${which}. Shades are steps of equal ratio. The diagonal is outlined; the table by class has it.`,
          axes: ["input class i", "output class j →"],
          ...{ shown, values: meanJacobian },
          text: cellNumber,
          tableText: digits,
          edgeText: digits,
        }),
      hasPairs &&
        confusion &&
        matrixFigure({
          id: "confusion",
          title: "Confusion matrix",
          caption: html`Number of rows by label and predicted class, of ${count(classes.confusionRows)} rows with a label and p. ${which}. Shades are steps of equal ratio of the share of the rows with the label. The diagonal, outlined, has the correct predictions.`,
          axes: ["label", "predicted class →"],
          ...{ shown, values: confusion },
          shares: confusion.map((row, a) =>
            row.map(
              (n) => n / Math.max(1, labelled?.[shown[a] as number] ?? 0),
            ),
          ),
          text: count,
          tableText: count,
          edgeText: percent,
        }),
      html`</div>`,
      sensitivity && classTable(classes, sensitivity, which),
    ],
  };
}

type Matrix = readonly (readonly number[])[];

interface MatrixSpec extends Pick<FigureSpec, "id" | "title" | "caption"> {
  axes: [row: string, column: string];
  shown: readonly number[];
  /** `[shown, shown]`. */
  values: Matrix;
  /** Values that determine the shades; default: `values`. */
  shares?: Matrix;
  text(value: number): string;
  tableText(value: number): string;
  /** Formats a limit between two shades. */
  edgeText(edge: number): string;
}

function matrixFigure({
  axes: [row, column],
  shown,
  values,
  shares = values,
  text,
  tableText,
  edgeText,
  ...spec
}: MatrixSpec): Html {
  const cells = shown.flatMap((i, a) =>
    shown.map((j, b) => {
      const [value = 0, share = 0] = [values[a]?.[b], shares[a]?.[b]];
      return { i, j, value, share };
    }),
  );
  type Cell = (typeof cells)[number];
  const isMany = shown.length > 24;
  const isNumbered = shown.length <= MAX_NUMBERED;
  const isNamed = shown.length <= MAX_NAMED;
  const longest = Math.max(...shown.map((k) => String(k).length));
  const others = cells.filter(({ i, j, value }) => i !== j && value > 0);
  const { shade, edges } = shadeScale(others.map(({ share }) => share));
  const diagonal = cells.filter(({ i, j }) => i === j);
  const inCells = (cells: readonly Cell[], fill: (cell: Cell) => string) =>
    Plot.text(cells, {
      x: "j",
      y: "i",
      text: (cell: Cell) => text(cell.value),
      fill,
      fontSize: 11,
    });
  const axis = {
    domain: [...shown],
    ...(isNamed ? { tickFormat: String } : { ticks: [] }),
  };
  return figure({
    ...spec,
    picture: html`${picture(`Heatmap: ${spec.title}`, {
      height: 560,
      marginLeft: 52,
      marginTop: 26,
      marginBottom: isNamed && isMany ? 36 + 7 * longest : 48,
      marginRight: 6,
      style: { fontSize: isMany ? "10px" : "13px" },
      padding: 0,
      x: { ...axis, label: column, tickRotate: isNumbered ? 0 : -90 },
      y: { ...axis, label: row, labelArrow: "none", labelAnchor: "top" },
      color: { type: "identity" },
      marks: [
        Plot.cell(others, {
          x: "j",
          y: "i",
          fill: ({ share }: Cell) => `var(--h${shade(share)})`,
          stroke: "var(--line)",
          strokeWidth: 0.5,
          inset: shown.length > 30 ? 0 : 1,
        }),
        Plot.cell(diagonal, {
          x: "j",
          y: "i",
          fill: "none",
          stroke: "var(--line)",
          inset: 1,
        }),
        ...(isNumbered
          ? [
              inCells(others, ({ share }) => `var(--t${shade(share)})`),
              inCells(diagonal, () => "currentColor"),
            ]
          : []),
      ],
    })}${legend(spec.title, edges, edgeText)}`,
    table:
      shown.length <= MAX_TABLED
        ? table(
            spec.title,
            [row, ...shown.map((j) => `to ${j}`)],
            values.map((row, a) => [
              String(shown[a]),
              ...row.map((x) => tableText(x)),
            ]),
          )
        : isNamed
          ? null
          : html`<p>Classes of the heatmap: ${shown.join(", ")}.</p>`,
  });
}

function legend(
  title: string,
  edges: readonly number[],
  text: MatrixSpec["edgeText"],
): Html | null {
  if (edges.length === 0) return null;
  const names = [
    `below ${text(edges[0] as number)}`,
    ...edges.map((edge) => `from ${text(edge)}`),
  ];
  return html`<ol class="legend" aria-label="Shades: ${title}">${names.map((name, k) => html`<li><span class="swatch s${k}"></span>${name}</li>`)}</ol>`;
}

function classTable(
  { shown, sensitivity: _, meanP, predicted, labelled, correct }: ClassNumbers,
  sensitivity: readonly number[],
  which: string,
): Html {
  const columns: [head: string, cell: (k: number) => string][] = [
    ["mean J[k,k]", (k) => digits(sensitivity[k] as number)],
  ];
  if (meanP)
    columns.push(["mean p", (k) => (meanP[k] as number).toPrecision(3)]);
  if (predicted)
    columns.push(["predicted", (k) => count(predicted[k] as number)]);
  if (labelled) columns.push(["labelled", (k) => count(labelled[k] as number)]);
  if (labelled && predicted && correct) {
    const ratio = (rows: number, total: number) =>
      total > 0 ? percent(rows / total) : "–";
    columns.push(
      ["correct", (k) => count(correct[k] as number)],
      ["recall", (k) => ratio(correct[k] as number, labelled[k] as number)],
      ["precision", (k) => ratio(correct[k] as number, predicted[k] as number)],
    );
  }
  return html`<div><h3>By class</h3>
<p>${which}${predicted || labelled ? "; predicted, labelled and correct are numbers of rows" : ""}.</p>
${table(
  "Numbers by class",
  ["class", ...columns.map(([head]) => head)],
  shown.map((k) => [String(k), ...columns.map(([, cell]) => cell(k))]),
)}</div>`;
}
