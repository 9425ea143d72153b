import type { Example } from "../../reader/example-decoder.js";
import type { NumberSources } from "../../reader/reading-plan.js";
import type { CalibrationNumbers } from "../output-report.js";

/** Bins of equal width (k/15, (k+1)/15], as in Guo et al., "On Calibration of Modern Neural Networks", 2017. */
export const RELIABILITY_BINS = 15;

/** Sums for the scores of predictions against labels. */
export class CalibrationSums {
  /** Rows, sum of confidences, and correct predictions per bin. */
  readonly binRows = new Float64Array(RELIABILITY_BINS);
  readonly confidence = new Float64Array(RELIABILITY_BINS);
  readonly correct = new Float64Array(RELIABILITY_BINS);
  rows = 0;
  nllSum = 0;
  brierSum = 0;
  /** Number of rows whose label has p = 0; their infinite NLL is not in the sum. */
  zeroP = 0;
  unlabelled = 0;

  add({ p, predicted, label, confidence, uncertainty }: Example): void {
    if (label < 0) {
      this.unlabelled++;
      return;
    }
    if (!p) return;
    this.rows++;
    const isCorrect = predicted === label;
    this.#addToBin(confidence, isCorrect);
    const labelP = p[label] as number;
    const rest = isCorrect ? uncertainty : 1 - labelP;
    this.brierSum += rest * rest;
    for (let k = 0; k < p.length; k++)
      if (k !== label) this.brierSum += (p[k] as number) ** 2;
    if (labelP === 0) this.zeroP++;
    else
      this.nllSum -=
        isCorrect && uncertainty < 0.5
          ? Math.log1p(-uncertainty)
          : Math.log(labelP);
  }

  #addToBin(confidence: number, isCorrect: boolean): void {
    const unclamped = Math.ceil(confidence * RELIABILITY_BINS) - 1;
    const bin = Math.min(RELIABILITY_BINS - 1, Math.max(0, unclamped));
    this.binRows[bin] = (this.binRows[bin] as number) + 1;
    this.confidence[bin] = (this.confidence[bin] as number) + confidence;
    if (isCorrect) this.correct[bin] = (this.correct[bin] as number) + 1;
  }
}

/** @param label name of the column of labels */
export function calibrationNumbers(
  label: string,
  sums: CalibrationSums,
  { p }: NumberSources,
): CalibrationNumbers {
  const { rows, unlabelled, nllSum, brierSum, zeroP } = sums;
  const total = (values: Float64Array) =>
    values.reduce((sum, value) => sum + value, 0);
  const gaps = sums.correct.map((correct, k) =>
    Math.abs(correct - (sums.confidence[k] as number)),
  );
  return {
    label,
    rows,
    unlabelled,
    accuracy: rows > 0 ? total(sums.correct) / rows : null,
    ece: rows > 0 ? total(gaps) / rows : null,
    bins: Array.from(sums.binRows, (binRows, k) => {
      const mean = (values: Float64Array) =>
        binRows > 0 ? (values[k] as number) / binRows : null;
      return {
        low: k / RELIABILITY_BINS,
        high: (k + 1) / RELIABILITY_BINS,
        rows: binRows,
        confidence: mean(sums.confidence),
        accuracy: mean(sums.correct),
      };
    }),
    nll: rows > zeroP ? nllSum / (rows - zeroP) : null,
    zeroP,
    brier: rows > 0 ? brierSum / rows : null,
    reasons: reasonsOf(p, rows),
  };
}

function reasonsOf(p: NumberSources["p"], rows: number): string[] {
  if (!p)
    return [
      "Calibration needs p: the output has neither softmax nor full blocks to recover it from.",
    ];
  return rows > 0 ? [] : ["No row has both p and a label."];
}
