import type { Example, NumberSources } from "../../reader/example-decoder.js";

const BINS = 40;
/** Lower bound of log10 of the smallest subnormal, -323.3. */
const MIN_DECADE = -324;
const BINS_PER_DECADE = 8;
const DECADE_BINS = -MIN_DECADE * BINS_PER_DECADE;

/**
 * Largest uncertainty for which 1 - p, and so p (1 - p), rounds to 0 in the type: half the distance from 1 to the next
 * smaller number.
 */
export const LOST = { float32: 2 ** -25, float64: 2 ** -54 } as const;

/** Counts values in bins of equal width. */
export class Histogram {
  readonly width: number;
  readonly counts: Float64Array;
  /** Number of values other than NaN. */
  rows = 0;
  sum = 0;

  /** Divides `[low, high)` into bins; the first and the last also count the values beyond. */
  constructor(
    readonly low: number,
    high: number,
    bins: number,
  ) {
    this.width = (high - low) / bins;
    this.counts = new Float64Array(bins);
  }

  add(value: number): void {
    if (Number.isNaN(value)) return;
    this.rows++;
    this.sum += value;
    const last = this.counts.length - 1;
    const unclamped = Math.floor((value - this.low) / this.width);
    const bin = Math.min(last, Math.max(0, unclamped));
    this.counts[bin] = (this.counts[bin] as number) + 1;
  }
}

export class ConfidenceSums {
  readonly #confidence = new Histogram(0, 1, BINS);
  readonly #entropy: Histogram;
  /** Histogram of log10 of the uncertainties other than 0. */
  readonly #decades = new Histogram(MIN_DECADE, 0, DECADE_BINS);
  #uncertaintyRows = 0;
  #uncertaintySum = 0;
  /** Smallest uncertainty other than 0, and the largest. */
  #min = Infinity;
  #max = 0;
  readonly #lost = { zero: 0, lostFloat32: 0, lostFloat64: 0 };

  constructor(classes: number) {
    this.#entropy = new Histogram(0, Math.log(Math.max(2, classes)), BINS);
  }

  add({ confidence, uncertainty, entropy }: Example): void {
    this.#confidence.add(confidence);
    this.#entropy.add(entropy);
    if (Number.isNaN(uncertainty)) return;
    this.#uncertaintyRows++;
    this.#uncertaintySum += uncertainty;
    if (uncertainty <= 0) {
      this.#lost.zero++;
      return;
    }
    this.#decades.add(Math.log10(uncertainty));
    if (uncertainty < this.#min) this.#min = uncertainty;
    if (uncertainty > this.#max) this.#max = uncertainty;
    if (uncertainty <= LOST.float32) this.#lost.lostFloat32++;
    if (uncertainty <= LOST.float64) this.#lost.lostFloat64++;
  }

  numbers(sources: NumberSources): ConfidenceNumbers {
    const rows = Math.max(this.#confidence.rows, this.#uncertaintyRows);
    return {
      rows,
      confidence: withMean(this.#confidence),
      uncertainty: this.#uncertainty(),
      entropy: withMean(this.#entropy),
      reasons: reasonsOf(sources, rows),
    };
  }

  /** Returns the histogram without the empty bins at both ends. */
  #uncertainty(): UncertaintyNumbers | null {
    if (this.#uncertaintyRows === 0) return null;
    const { low, width, counts, rows } = this.#decades;
    const first = counts.findIndex((count) => count > 0);
    const last = counts.findLastIndex((count) => count > 0);
    return {
      low: first < 0 ? 0 : low + first * width,
      width,
      counts: first < 0 ? [] : Array.from(counts.subarray(first, last + 1)),
      rows: this.#uncertaintyRows,
      mean: this.#uncertaintySum / this.#uncertaintyRows,
      min: rows > 0 ? this.#min : null,
      max: rows > 0 ? this.#max : null,
      ...this.#lost,
    };
  }
}

/** Histogram: `counts[k]` rows in the bin `[low + k width, low + (k + 1) width)`. */
export interface Bins {
  low: number;
  width: number;
  counts: number[];
}

export interface ConfidenceNumbers {
  /** Number of rows whose uncertainty or confidence is known. */
  rows: number;
  confidence: (Bins & { mean: number }) | null;
  /** Histogram of log10 of the uncertainty, without rows whose uncertainty is 0. */
  uncertainty: UncertaintyNumbers | null;
  /** Histogram of the entropy in nats. */
  entropy: (Bins & { mean: number }) | null;
  reasons: string[];
}

export interface UncertaintyNumbers extends Bins {
  rows: number;
  mean: number;
  min: number | null;
  max: number | null;
  /** Number of rows whose uncertainty is exactly 0. */
  zero: number;
  /** Number of rows whose 1 - max p, and so p (1 - p), rounds to 0 in that type although the uncertainty is not 0. */
  lostFloat32: number;
  lostFloat64: number;
}

function withMean(histogram: Histogram): (Bins & { mean: number }) | null {
  const { low, width, counts, rows, sum } = histogram;
  return rows > 0
    ? { low, width, counts: Array.from(counts), mean: sum / rows }
    : null;
}

function reasonsOf(
  { confidence, uncertainty, entropy }: NumberSources,
  rows: number,
): string[] {
  const reasons: string[] = [];
  if (!confidence)
    reasons.push(
      "Confidence needs softmax, confidence, uncertainty or tail in the output.",
    );
  if (!uncertainty)
    reasons.push(
      "Uncertainty needs softmax, uncertainty or tail in the output: 1 − confidence has lost its digits.",
    );
  if (!entropy) reasons.push("Entropy needs entropy or softmax in the output.");
  if (rows === 0 && (confidence || uncertainty))
    reasons.push("There are no rows with a confidence.");
  return reasons;
}

/** Bins of equal width (k/15, (k+1)/15], as in Guo et al., "On Calibration of Modern Neural Networks", 2017. */
const RELIABILITY_BINS = 15;

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

  /** @param label name of the column of labels */
  numbers(label: string, { p }: NumberSources): CalibrationNumbers {
    const { rows, unlabelled, nllSum, brierSum, zeroP } = this;
    const total = (values: Float64Array) =>
      values.reduce((sum, value) => sum + value, 0);
    const gaps = this.correct.map((correct, k) =>
      Math.abs(correct - (this.confidence[k] as number)),
    );
    return {
      ...{ label, rows, unlabelled },
      accuracy: rows > 0 ? total(this.correct) / rows : null,
      ece: rows > 0 ? total(gaps) / rows : null,
      bins: Array.from(this.binRows, (binRows, k) => {
        const mean = (values: Float64Array) =>
          binRows > 0 ? (values[k] as number) / binRows : null;
        return {
          low: k / RELIABILITY_BINS,
          high: (k + 1) / RELIABILITY_BINS,
          rows: binRows,
          confidence: mean(this.confidence),
          accuracy: mean(this.correct),
        };
      }),
      nll: rows > zeroP ? nllSum / (rows - zeroP) : null,
      zeroP,
      brier: rows > 0 ? brierSum / rows : null,
      reasons: !p
        ? ["Calibration needs softmax in the output."]
        : rows > 0
          ? []
          : ["No row has both p and a label."],
    };
  }
}

export interface CalibrationNumbers {
  /** Name of the column of labels. */
  label: string;
  /** Number of rows with a label and p. */
  rows: number;
  /** Number of rows without a label. */
  unlabelled: number;
  accuracy: number | null;
  /** Expected calibration error with 15 bins of equal width. */
  ece: number | null;
  bins: {
    low: number;
    high: number;
    rows: number;
    confidence: number | null;
    accuracy: number | null;
  }[];
  /** Mean of -log p of the label in nats, without rows whose label has p = 0. */
  nll: number | null;
  /** Number of rows whose label has p = 0. */
  zeroP: number;
  /** Brier score: mean of the sum of (p_k - y_k)² over the classes, where y is 1 for the label and 0 elsewhere. */
  brier: number | null;
  reasons: string[];
}
