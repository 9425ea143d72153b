import type { Example, NumberSources } from "../../reader/example-decoder.js";

/** Sums by class, `[Q]` each. */
export class ClassSums {
  /** Sums of J[k,k]. */
  readonly #sensitivity: Float64Array;
  /** Number of rows whose diagonal is known. */
  #sensitivityRows = 0;
  readonly #p: Float64Array;
  #pRows = 0;
  /** Number of rows by predicted class, by label, and by class that is both. */
  readonly #predicted: Float64Array;
  readonly #labelled: Float64Array;
  readonly #correct: Float64Array;

  constructor(classes: number) {
    this.#sensitivity = new Float64Array(classes);
    this.#p = new Float64Array(classes);
    this.#predicted = new Float64Array(classes);
    this.#labelled = new Float64Array(classes);
    this.#correct = new Float64Array(classes);
  }

  add({ p, predicted, label, entry }: Example): void {
    if (entry) {
      this.#sensitivityRows++;
      for (let k = 0; k < this.#p.length; k++)
        bump(this.#sensitivity, k, entry(k, k));
    }
    if (p) {
      this.#pRows++;
      for (let k = 0; k < p.length; k++) bump(this.#p, k, p[k] as number);
      bump(this.#predicted, predicted, 1);
    }
    if (label >= 0) bump(this.#labelled, label, 1);
    if (label >= 0 && predicted === label) bump(this.#correct, label, 1);
  }

  /** Returns the classes with the largest mean J[k,k], at most `max`, ascending. */
  mostSensitive(max: number): number[] {
    const [sums, p] = [this.#sensitivity, this.#p];
    const compare = (a: number, b: number) =>
      (sums[b] as number) - (sums[a] as number) ||
      (p[b] as number) - (p[a] as number) ||
      a - b;
    return Array.from(this.#p, (_, k) => k)
      .sort(compare)
      .slice(0, max)
      .sort((a, b) => a - b);
  }

  /** @param shown classes of `pairs` to show, ascending */
  numbers(
    pairs: ClassPairs,
    shown: readonly number[],
    { jacobian }: NumberSources,
    isLabelled: boolean,
  ): ClassNumbers {
    const matrix = (value: (i: number, j: number) => number) =>
      shown.map((i) => shown.map((j) => value(i, j)));
    const share = (values: Float64Array, rows: number) =>
      rows > 0 ? Array.from(values, (value) => value / rows) : null;
    const isKnown = pairs.rows > 0;
    const hasP = this.#pRows > 0;
    return {
      rows: Math.max(pairs.rows, this.#pRows),
      shown: [...shown],
      meanJacobian: isKnown ? matrix((i, j) => pairs.mean(i, j)) : null,
      confusion:
        pairs.labelledRows > 0 ? matrix((i, j) => pairs.confused(i, j)) : null,
      confusionRows: pairs.labelledRows,
      sensitivity: share(this.#sensitivity, this.#sensitivityRows),
      meanP: share(this.#p, this.#pRows),
      predicted: hasP ? Array.from(this.#predicted) : null,
      labelled: isLabelled ? Array.from(this.#labelled) : null,
      correct: isLabelled && hasP ? Array.from(this.#correct) : null,
      reasons: !jacobian
        ? ["The mean |J| needs softmax or whole blocks in the output."]
        : !isKnown
          ? ["There are no rows to average."]
          : this.#p.length === 1
            ? ["With one class the Jacobian is 0."]
            : [],
    };
  }
}

/** Sums by pair of shown classes: |J| and the confusion matrix. */
export class ClassPairs {
  readonly shown: readonly number[];
  /** Number of rows whose J is known. */
  rows = 0;
  /** Number of rows with p and a label. */
  labelledRows = 0;
  /** Index of a class in `shown`, or -1. */
  readonly #indexOf: Int32Array;
  /** Sums of |J|, `[shown, shown]`; only the upper triangle is used. */
  readonly #sums: Float64Array;
  /** Number of rows by label and predicted class, `[shown, shown]`. */
  readonly #confusion: Float64Array;

  /** @param shown classes, ascending */
  constructor(classes: number, shown: readonly number[]) {
    this.shown = shown;
    this.#indexOf = new Int32Array(classes).fill(-1);
    for (const [index, k] of shown.entries()) this.#indexOf[k] = index;
    this.#sums = new Float64Array(shown.length ** 2);
    this.#confusion = new Float64Array(shown.length ** 2);
  }

  add({ p, predicted, label, entry }: Example): void {
    const { shown } = this;
    const [a, b] = [this.#indexOf[label] ?? -1, this.#indexOf[predicted] ?? -1];
    if (p && label >= 0) this.labelledRows++;
    if (p && a >= 0 && b >= 0) bump(this.#confusion, a * shown.length + b, 1);
    if (!entry) return;
    for (const [a, i] of shown.entries())
      for (let b = a; b < shown.length; b++) {
        const size = Math.abs(entry(i, shown[b] as number));
        bump(this.#sums, a * shown.length + b, size);
      }
    this.rows++;
  }

  /** Returns the mean of |J[i,j]| of two shown classes. */
  mean(i: number, j: number): number {
    const sum = this.#at(this.#sums, Math.min(i, j), Math.max(i, j));
    return this.rows > 0 ? sum / this.rows : 0;
  }

  /** Returns the number of rows with this label and this predicted class, two shown classes. */
  confused(label: number, predicted: number): number {
    return this.#at(this.#confusion, label, predicted);
  }

  #at(values: Float64Array, i: number, j: number): number {
    const [a, b] = [this.#indexOf[i] as number, this.#indexOf[j] as number];
    return values[a * this.shown.length + b] as number;
  }
}

function bump(sums: Float64Array, index: number, by: number): void {
  sums[index] = (sums[index] as number) + by;
}

export interface ClassNumbers {
  rows: number;
  /** Classes of the heatmaps, ascending. */
  shown: number[];
  /** Mean |J|, `[shown, shown]`. */
  meanJacobian: number[][] | null;
  /** Number of rows by label and predicted class, `[shown, shown]`; null without labels or p. */
  confusion: number[][] | null;
  /** Number of rows with a label and a predicted class. */
  confusionRows: number;
  /** Mean J[k,k], `[Q]`. */
  sensitivity: number[] | null;
  meanP: number[] | null;
  /** Number of rows by predicted class, by label, and by class that is both, `[Q]` each. */
  predicted: number[] | null;
  labelled: number[] | null;
  correct: number[] | null;
  reasons: string[];
}
