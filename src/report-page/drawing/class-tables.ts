import { count } from "../../number-text.js";
import type { ClassNumbers } from "../output-report.js";
import { percent } from "./figures.js";
import { type Html, html } from "./html.js";
import { numberOf, table } from "./parts.js";
import { whichOf } from "./which-classes.js";

/** The pairs that trade most. */
export function pairsTable({ pairs, rows, shown }: ClassNumbers): Html {
  return html`<div><h3>Pairs with the largest mean |J|</h3>
<p>Among the ${count(shown.length)} classes shown, from ${count(rows)} rows.</p>
${table(
  "Pairs of classes by mean |J|",
  ["classes", "mean |J[i,j]|"],
  pairs.map(({ i, j, mean }) => [
    `${i} and ${j}`,
    numberOf(`pair-${i}-${j}`, mean),
  ]),
)}</div>`;
}

/** What is known of each class. */
export function classTable(
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
      ["correct", (k) => count(correct[k] as number)],
      ["recall", (k) => ratio(correct[k] as number, labelled[k] as number)],
      ["precision", (k) => ratio(correct[k] as number, predicted[k] as number)],
    );
  }
  return html`<div><h3>By class</h3>
<p>${whichOf(shown.length, all)}${countsText(predicted !== null, labelled !== null)}.</p>
${table(
  "Numbers by class",
  ["class", ...columns.map(([head]) => head)],
  [...shown]
    .sort((a, b) => a - b)
    .map((k) => [String(k), ...columns.map(([, cell]) => cell(k))]),
)}</div>`;
}

function countsText(isPredicted: boolean, isLabelled: boolean): string {
  if (isPredicted && isLabelled)
    return ": numbers of rows with this predicted class, with this label, and with both";
  if (isPredicted) return ": number of rows with this predicted class";
  return isLabelled ? ": number of rows with this label" : "";
}
