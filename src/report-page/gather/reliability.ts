import type { Example } from "../../output-rows/example.js";

/** Bins of equal width (k/15, (k+1)/15], as Guo et al., "On Calibration of Modern Neural Networks", 2017. */
export const RELIABILITY_BINS = 15;

/** How often rows of a confidence are right. */
export class Reliability {
  readonly rows = new Float64Array(RELIABILITY_BINS);
  readonly confidence = new Float64Array(RELIABILITY_BINS);
  readonly correct = new Float64Array(RELIABILITY_BINS);

  add(confidence: number, isCorrect: boolean): void {
    const bin = Math.ceil(confidence * RELIABILITY_BINS) - 1;
    const at = Math.min(RELIABILITY_BINS - 1, Math.max(0, bin));
    this.rows[at] = (this.rows[at] as number) + 1;
    this.confidence[at] = (this.confidence[at] as number) + confidence;
    if (isCorrect) this.correct[at] = (this.correct[at] as number) + 1;
  }

  /** Expected calibration error: the mean of |accuracy - confidence| of bins, by their rows. */
  get ece(): number | null {
    const rows = this.rows.reduce((sum, n) => sum + n, 0);
    if (rows === 0) return null;
    let sum = 0;
    for (let k = 0; k < RELIABILITY_BINS; k++)
      sum += Math.abs(
        (this.correct[k] as number) - (this.confidence[k] as number),
      );
    return sum / rows;
  }
}

/** What labels say of rows. */
export class CalibrationSums {
  readonly reliability = new Reliability();
  rows = 0;
  correct = 0;
  nllSum = 0;
  brierSum = 0;
  /** Rows whose label has p = 0: their NLL is infinite, and not in the sum. */
  impossible = 0;
  /** Rows without a label that is a class. */
  unlabelled = 0;

  add({ p, winner, label, confidence, uncertainty }: Example): void {
    if (label < 0) {
      this.unlabelled++;
      return;
    }
    if (!p) return;
    this.rows++;
    const isCorrect = winner === label;
    if (isCorrect) this.correct++;
    this.reliability.add(confidence, isCorrect);
    const own = p[label] as number;
    const rest = isCorrect ? uncertainty : 1 - own;
    this.brierSum += rest * rest;
    for (let k = 0; k < p.length; k++)
      if (k !== label) this.brierSum += (p[k] as number) ** 2;
    if (own === 0) this.impossible++;
    else
      this.nllSum -=
        isCorrect && uncertainty < 0.5
          ? Math.log1p(-uncertainty)
          : Math.log(own);
  }
}
