import type { OutputColumn } from "../reader/output-columns.js";
import { errorInEpsilon } from "../reference/error-measures.js";
import type { ReferenceValues } from "../reference/scaled.js";
import type { CheckContext, Problems } from "./problems.js";
import type { ColumnReport } from "./value-report.js";

/** Keeps zeros in the mean of relative errors, as in the notebook. */
const GUARD = 1e-32;

/** Units of the errors in a column of a type, and the bound of a float64 result in it. */
export interface TypeOfErrors {
  epsilon: number;
  /** The smallest step. */
  smallest: number;
  /** In ε of the type. */
  bound: number;
}

/** @param promised in ε of float64; rounding to float32 adds half a last place */
export function typeOfErrors(
  type: OutputColumn["type"],
  promised: number,
): TypeOfErrors {
  if (type === "float32")
    return {
      epsilon: 2 ** -23,
      smallest: 2 ** -149,
      bound: 0.5 + promised * 2 ** -29 + 2 ** -20,
    };
  return { epsilon: 2 ** -52, smallest: 2 ** -1074, bound: promised };
}

/** Compares a column's values with the true ones, row by row, and keeps the worst. */
export class ColumnCheck {
  readonly #name: string;
  readonly #type: OutputColumn["type"];
  readonly #problems: Problems;
  readonly #bound: number;
  readonly #floor: number;
  #values = 0;
  #worst = 0;
  #row: number | null = null;
  #position: number | null = null;
  #relative = 0;
  #ok = true;

  /** @param promised bound in ε of float64, of the value or its scale */
  constructor(
    column: Pick<OutputColumn, "name" | "type">,
    promised: number,
    { run, problems }: CheckContext,
  ) {
    const { bound, smallest } = typeOfErrors(column.type, promised);
    this.#name = column.name;
    this.#type = column.type;
    this.#problems = problems;
    this.#bound = bound;
    this.#floor = Math.max(
      smallest,
      2 ** -1074 * Math.max(1, 1 / run.temperature),
    );
  }

  /**
   * Compares the values of a row.
   *
   * @param scale sizes that errors are relative to; null: the values
   * @param positions positions of the values in their row; null: in order
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
    const unit = this.#type === "int32" ? "steps" : "ε";
    this.#problems.addToRow(
      row,
      `column ${this.#name}, value ${position}: expected ${truth} within ${short(this.#bound)} ${unit}, found ${values[at]} (${short(worst)})`,
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

  /** Returns an error in ε, or in steps for int32; NaN is infinitely far. */
  #error(
    value: number,
    truths: ReferenceValues,
    n: number,
    scale: Float64Array | null,
  ): number {
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
      if (this.#type === "int32") return error;
    } else {
      // Numbers outside of what doubles hold well, and those that are none.
      const type = this.#type === "int32" ? "float64" : this.#type;
      const { epsilon, smallest } = typeOfErrors(type, 0);
      const epsilons = errorInEpsilon(value, truths, n, type);
      if (epsilons === 0) return 0;
      const double = doubleOf(truths, n);
      truth = Math.abs(double);
      this.#relative += Math.abs(value - double) / (truth + GUARD);
      if (!Number.isFinite(epsilons) || !Number.isFinite(truth))
        return Infinity;
      error = epsilons * Math.max(truth * epsilon, smallest);
    }
    const epsilon = this.#type === "float32" ? 2 ** -23 : 2 ** -52;
    return scale
      ? error / ((scale[n] as number) * epsilon + this.#floor)
      : error / Math.max(truth * epsilon, this.#floor);
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
