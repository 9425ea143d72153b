import type { OutputColumn } from "../reader/output-columns.js";
import { errorInEpsilon } from "../reference/error-measures.js";
import type { Bound } from "../reference/error-scales.js";
import type { ReferenceValues } from "../reference/scaled.js";
import type { RowAxes } from "../results/row-axes.js";
import { indexOfRow, nameOfRow } from "../results/row-axes.js";
import type { StoredRun } from "../results/run-metadata.js";

export interface CheckContext {
  run: StoredRun;
  problems: Problems;
}

const MAX_LISTED = 20;

/** Problems of an output: the first 20 as sentences, and the number of further ones. */
export class Problems {
  readonly list: string[] = [];
  others = 0;

  constructor(private readonly axes: RowAxes) {}

  add(sentence: string): void {
    if (this.list.length < MAX_LISTED) this.list.push(sentence);
    else this.others++;
  }

  addToRow(row: number, text: string): void {
    this.add(`${nameOfRow(this.axes, row)}: ${text}`);
  }

  /** Returns the index of a row of the input along the first axis. */
  firstIndex(row: number): number {
    return indexOfRow(this.axes, row)[0] as number;
  }
}

/** Errors of one column of results against the reference. */
export interface ColumnReport {
  name: string;
  /** Number of values compared. */
  values: number;
  /** Largest error in `unit`; Infinity if a value is NaN or infinite and should not be. */
  maxError: number;
  /** Row of the largest error; null if nothing was compared. */
  row: number | null;
  /** Index of its value in the row, i·Q + j for entries. */
  position: number | null;
  /** Mean relative error in percent, with 1e-32 added to both numbers (see `relativeErrorPercent`). */
  meanRelativeErrorPercent: number;
  /** Bound on the error: that of docs/results.md, for float32 with half an ulp for rounding. */
  bound: number;
  /** Unit of `maxError` and `bound`: the ulp or ε of the column's type; steps of 1 for int32. */
  unit: "ulp" | "ε" | "steps";
  ok: boolean;
}

/** Avoids division by 0 in relative errors, as in the notebook. */
const GUARD = 1e-32;

/**
 * Returns ε, the smallest positive number, and the bound on the error in ε of the type of a column.
 * @param promised bound in ε (or ulp) of float64; rounding to float32 adds half an ulp
 */
export function typePrecision(type: OutputColumn["type"], promised: number) {
  if (type === "float32")
    return {
      epsilon: 2 ** -23,
      smallest: 2 ** -149,
      bound: 0.5 + promised * 2 ** -29 + 2 ** -20,
    };
  return { epsilon: 2 ** -52, smallest: 2 ** -1074, bound: promised };
}

/** Comparison of a column with the reference, row by row. */
export class ColumnCheck {
  readonly #precision: ReturnType<typeof typePrecision>;
  readonly #floor: number;
  readonly #report: ColumnReport;
  /** Sum of the relative errors. */
  #relative = 0;

  /** @param promised bound of float64 */
  constructor(
    private readonly column: Pick<OutputColumn, "name" | "type">,
    private readonly promised: Bound,
    private readonly context: CheckContext,
  ) {
    this.#precision = typePrecision(column.type, promised.limit);
    // Results with bounds in ε may divide a subnormal number by the temperature.
    const divisor =
      promised.unit === "ulp" ? 1 : Math.min(1, context.run.temperature);
    this.#floor = Math.max(this.#precision.smallest, 2 ** -1074 / divisor);
    this.#report = {
      name: column.name,
      ...{ values: 0, maxError: 0, row: null, position: null },
      meanRelativeErrorPercent: 0,
      bound: this.#precision.bound,
      unit: column.type === "int32" ? "steps" : promised.unit,
      ok: true,
    };
  }

  /**
   * Compares the values of a row.
   *
   * @param scale sizes that errors are relative to; null for the true values
   * @param positions indices of the values in their row; null for 0, 1, …
   */
  check(
    row: number,
    truths: ReferenceValues,
    values: ArrayLike<number>,
    scale: Float64Array | null = null,
    positions: ArrayLike<number> | null = null,
  ): void {
    let worst = -1;
    let worstIndex = 0;
    for (let n = 0; n < values.length; n++) {
      const error = this.#error(values[n] as number, truths, n, scale);
      if (error > worst) {
        worst = error;
        worstIndex = n;
      }
    }
    const report = this.#report;
    report.values += values.length;
    if (worst < 0) return;
    const position = positions ? (positions[worstIndex] as number) : worstIndex;
    if (report.row === null || worst > report.maxError)
      Object.assign(report, { maxError: worst, row, position });
    const { name, bound, unit } = report;
    if (worst <= bound) return;
    report.ok = false;
    const truth = doubleOf(truths, worstIndex);
    this.context.problems.addToRow(
      row,
      `column ${name}, value ${position}: expected ${truth} within ${short(bound)} ${unit}, found ${values[worstIndex]} (${short(worst)})`,
    );
  }

  report(): ColumnReport {
    const { row, values } = this.#report;
    return {
      ...this.#report,
      row: row === null ? null : this.context.problems.firstIndex(row),
      meanRelativeErrorPercent:
        values === 0 ? 0 : (this.#relative / values) * 100,
    };
  }

  /** Returns an error in the unit of the bound; Infinity for NaN. */
  #error(
    value: number,
    truths: ReferenceValues,
    n: number,
    scale: Float64Array | null,
  ): number {
    const { epsilon, smallest } = this.#precision;
    const high = truths.high[n] as number;
    const isUsual =
      truths.exponent[n] === 0 &&
      Number.isFinite(value) &&
      Number.isFinite(high);
    let error: number;
    let truth = Math.abs(high);
    if (isUsual) {
      error = Math.abs(value - high - (truths.low[n] as number));
      this.#relative += error / Math.abs(high + GUARD);
      if (this.column.type === "int32") return error;
    } else {
      // The true value is outside the normal range of float64, or one of the two is not finite.
      const type = this.column.type === "int32" ? "float64" : this.column.type;
      const epsilons = errorInEpsilon(value, truths, n, type);
      if (epsilons === 0) return 0;
      const double = doubleOf(truths, n);
      truth = Math.abs(double);
      this.#relative += Math.abs(value - double) / (truth + GUARD);
      if (!Number.isFinite(epsilons) || !Number.isFinite(truth))
        return Infinity;
      error = epsilons * Math.max(truth * epsilon, smallest);
    }
    const size = this.promised.unit === "ulp" ? powerOfTwo(truth) : truth;
    return scale
      ? error / ((scale[n] as number) * epsilon + this.#floor)
      : error / Math.max(size * epsilon, this.#floor);
  }
}

const bits = new Float64Array(1);
const words = new Uint32Array(bits.buffer);

/** Returns the largest power of two that is at most `value`, for normal numbers. */
function powerOfTwo(value: number): number {
  bits[0] = value;
  words[0] = 0;
  words[1] = (words[1] as number) & 0x7ff00000;
  return bits[0];
}

function doubleOf({ high, low, exponent }: ReferenceValues, n: number): number {
  const e = exponent[n] as number;
  const value = (high[n] as number) + (low[n] as number);
  // Scales in two steps, because 2^e alone may underflow or overflow.
  return value * 2 ** Math.trunc(e / 2) * 2 ** (e - Math.trunc(e / 2));
}

function short(x: number): string {
  return Number.isFinite(x) ? String(Number(x.toPrecision(3))) : `${x}`;
}
