import { errorInEpsilon } from "../reference/error-measures.js";
import type { ReferenceValues } from "../reference/scaled.js";
import type { Findings } from "./findings.js";
import { typeOfErrors } from "./type-of-errors.js";
import type { ColumnReport } from "./value-report.js";

/** Keeps zeros in the mean of relative errors, as in the notebook. */
const GUARD = 1e-32;

/** Compares a column's values with the true ones, row by row, and keeps the worst. */
export class ColumnCheck {
  readonly #name: string;
  readonly #type: "float32" | "float64" | "int32";
  readonly #bound: number;
  readonly #floor: number;
  readonly #findings: Findings;
  #values = 0;
  #worst = 0;
  #row: number | null = null;
  #position: number | null = null;
  #relative = 0;
  #ok = true;

  constructor(options: {
    name: string;
    type: "float32" | "float64" | "int32";
    /** In ε of float64, of the value or its scale. */
    promised: number;
    /** Factor on the bound. */
    tolerance: number;
    temperature: number;
    findings: Findings;
  }) {
    this.#name = options.name;
    this.#type = options.type;
    const { bound, smallest } = typeOfErrors(options.type, options.promised);
    this.#bound = bound * options.tolerance;
    this.#floor = Math.max(
      smallest,
      2 ** -1074 * Math.max(1, 1 / options.temperature),
    );
    this.#findings = options.findings;
  }

  /**
   * Compares the values of a row.
   *
   * @param values from `from` on as many as there are true ones to compare
   * @param scale what errors are relative to; null: the values
   * @param positions where each value stands in its row; null: in order
   */
  check(
    row: number,
    truths: ReferenceValues,
    values: ArrayLike<number>,
    scale: Float64Array | null = null,
    positions: ArrayLike<number> | null = null,
  ): void {
    let worst = -1;
    let at = 0;
    for (let n = 0; n < values.length; n++) {
      const error = this.#error(values[n] as number, truths, n, scale);
      if (error > worst) {
        worst = error;
        at = n;
      }
    }
    this.#values += values.length;
    if (worst < 0) return;
    const position = positions ? (positions[at] as number) : at;
    if (this.#row === null || worst > this.#worst) {
      this.#worst = worst;
      this.#row = row;
      this.#position = position;
    }
    if (worst <= this.#bound) return;
    this.#ok = false;
    const truth = doubleOf(truths, at);
    this.#findings.addToRow(
      row,
      `column ${this.#name}, value ${position}: expected ${truth} within ${short(this.#bound)} ${this.#unit}, found ${values[at]} (${short(worst)})`,
    );
  }

  report(): ColumnReport {
    return {
      name: this.#name,
      values: this.#values,
      maxError: this.#worst,
      row: this.#row,
      position: this.#position,
      meanRelativeErrorPercent:
        this.#values === 0 ? 0 : (this.#relative / this.#values) * 100,
      bound: this.#bound,
      ok: this.#ok,
    };
  }

  get #unit(): string {
    return this.#type === "int32" ? "steps" : "ε";
  }

  /** NaN counts as infinitely far. */
  #error(
    value: number,
    truths: ReferenceValues,
    n: number,
    scale: Float64Array | null,
  ): number {
    const high = truths.high[n] as number;
    if (
      truths.exponent[n] !== 0 ||
      !Number.isFinite(value) ||
      !Number.isFinite(high)
    )
      return this.#rareError(value, truths, n, scale);
    const error = Math.abs(value - high - (truths.low[n] as number));
    this.#relative += error / Math.abs(high + GUARD);
    if (this.#type === "int32") return error;
    const epsilon = this.#type === "float32" ? 2 ** -23 : 2 ** -52;
    return (
      error /
      (scale
        ? (scale[n] as number) * epsilon + this.#floor
        : Math.max(Math.abs(high) * epsilon, this.#floor))
    );
  }

  /** Numbers outside of what doubles hold well, and those that are none. */
  #rareError(
    value: number,
    truths: ReferenceValues,
    n: number,
    scale: Float64Array | null,
  ): number {
    const type = this.#type === "int32" ? "float64" : this.#type;
    const { epsilon, smallest } = typeOfErrors(type, 0);
    const error = errorInEpsilon(value, truths, n, type);
    const truth = Math.abs(doubleOf(truths, n));
    if (error === 0) return 0;
    this.#relative += Math.abs(value - doubleOf(truths, n)) / (truth + GUARD);
    if (!Number.isFinite(error) || !Number.isFinite(truth)) return Infinity;
    const size = error * Math.max(truth * epsilon, smallest);
    return scale
      ? size / ((scale[n] as number) * epsilon + this.#floor)
      : size / Math.max(truth * epsilon, this.#floor);
  }
}

function doubleOf({ high, low, exponent }: ReferenceValues, n: number): number {
  const e = exponent[n] as number;
  const value = (high[n] as number) + (low[n] as number);
  // In two steps: 2^e alone may be 0 or infinite.
  return value * 2 ** Math.trunc(e / 2) * 2 ** (e - Math.trunc(e / 2));
}

function short(x: number): string {
  return Number.isFinite(x) ? String(Number(x.toPrecision(3))) : `${x}`;
}
