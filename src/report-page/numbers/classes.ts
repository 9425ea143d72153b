import {
  leavesOut,
  type NumberSources,
} from "../../output-rows/reading-plan.js";
import type { StoredRun } from "../../results/run-metadata.js";
import type { ClassSums } from "../gather/class-sums.js";
import type { MeanJacobian } from "../gather/mean-jacobian.js";
import type { ClassNumbers } from "../output-report.js";

const PAIRS = 10;

/** The classes that change most, so many of them; ascending. */
export function mostSensitive(sums: ClassSums, most: number): number[] {
  const { sensitivity, p } = sums;
  const of = (k: number) => sensitivity[k] as number;
  return Array.from(sensitivity, (_, k) => k)
    .sort(
      (a, b) => of(b) - of(a) || (p[b] as number) - (p[a] as number) || a - b,
    )
    .slice(0, most)
    .sort((a, b) => a - b);
}

/** @param shown classes, ascending; `jacobian` knows their pairs */
export function classNumbers(
  run: StoredRun,
  sums: ClassSums,
  jacobian: MeanJacobian,
  shown: readonly number[],
  sources: NumberSources,
  isLabelled: boolean,
): ClassNumbers {
  const places = shown.map((k) => jacobian.shown.indexOf(k));
  const mean = (a: number, b: number) =>
    jacobian.mean(places[a] as number, places[b] as number);
  const known = jacobian.rows > 0;
  const share = (values: Float64Array, rows: number) =>
    rows > 0 ? Array.from(values, (value) => value / rows) : null;
  return {
    rows: Math.max(jacobian.rows, sums.pRows),
    shown: [...shown],
    meanJacobian: known
      ? shown.map((_, a) => shown.map((_, b) => mean(a, b)))
      : null,
    pairs: known ? pairsOf(shown, mean) : [],
    sensitivity: share(sums.sensitivity, sums.sensitivityRows),
    meanP: share(sums.p, sums.pRows),
    predicted: sums.pRows > 0 ? Array.from(sums.predicted) : null,
    labelled: isLabelled ? Array.from(sums.labelled) : null,
    correct: isLabelled && sums.pRows > 0 ? Array.from(sums.correct) : null,
    reasons: lacksOf(run, sources, known),
  };
}

function pairsOf(
  shown: readonly number[],
  mean: (a: number, b: number) => number,
): ClassNumbers["pairs"] {
  return shown
    .flatMap((i, a) =>
      shown.slice(a + 1).map((j, n) => ({ i, j, mean: mean(a, a + 1 + n) })),
    )
    .filter((pair) => pair.mean > 0)
    .sort(
      (one, other) =>
        other.mean - one.mean || one.i - other.i || one.j - other.j,
    )
    .slice(0, PAIRS);
}

function lacksOf(
  run: StoredRun,
  { jacobian, p }: NumberSources,
  known: boolean,
): string[] {
  if (!jacobian) return ["The mean |J| needs blocks or softmax in the output."];
  if (!known) return ["There are no rows to average."];
  if (run.classes === 1) return ["With one class the Jacobian is 0."];
  if (jacobian === "entries" && leavesOut(run))
    return [
      `Dropped entries count as 0 (threshold ${run.threshold}${run.topK > 0 ? `, ${run.topK} largest entries per block` : ""}).${p ? "" : " The mean p needs softmax in the output."}`,
    ];
  return [];
}
