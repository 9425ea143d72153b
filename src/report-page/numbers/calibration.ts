import type { NumberSources } from "../../output-rows/reading-plan.js";
import {
  type CalibrationSums,
  RELIABILITY_BINS,
} from "../gather/reliability.js";
import type { CalibrationNumbers } from "../output-report.js";

/** @param label the column */
export function calibrationNumbers(
  label: string,
  sums: CalibrationSums,
  { p }: NumberSources,
): CalibrationNumbers {
  const {
    reliability,
    rows,
    correct,
    nllSum,
    brierSum,
    impossible,
    unlabelled,
  } = sums;
  const certain = rows - impossible;
  return {
    label,
    rows,
    unlabelled,
    accuracy: rows > 0 ? correct / rows : null,
    ece: reliability.ece,
    bins: Array.from({ length: RELIABILITY_BINS }, (_, k) => {
      const count = reliability.rows[k] as number;
      const mean = (sum: Float64Array) =>
        count > 0 ? (sum[k] as number) / count : null;
      return {
        low: k / RELIABILITY_BINS,
        high: (k + 1) / RELIABILITY_BINS,
        rows: count,
        confidence: mean(reliability.confidence),
        accuracy: mean(reliability.correct),
      };
    }),
    nll: certain > 0 ? nllSum / certain : null,
    zeroP: impossible,
    brier: rows > 0 ? brierSum / rows : null,
    reasons: lacksOf(p, rows),
  };
}

function lacksOf(p: NumberSources["p"], rows: number): string[] {
  if (!p)
    return [
      "Calibration needs p: the output has neither softmax nor full blocks to recover it from.",
    ];
  return rows > 0 ? [] : ["No row has both p and a label."];
}
