import type { InputRows } from "../input/input-rows.js";
import { errorScale, type RowSizes } from "../reference/error-scales.js";
import {
  isUsableInput,
  type ReferenceName,
  referenceResult,
  valuesOf,
} from "../reference/result.js";
import {
  type ReferenceRow,
  referenceRow,
  referenceRowOf,
} from "../reference/row.js";
import {
  type ReferenceValues,
  referenceValues,
  toDouble,
} from "../reference/scaled.js";
import type { EmitName, InputUse } from "../results/catalogue.js";
import type { ResultColumn } from "../results/columns.js";

/** Returns the name of a result in the catalogue, or `packed` for an upper triangle. */
export function referenceName({ name, block }: ResultColumn): ReferenceName {
  return block === "triangle" ? "packed" : (name as EmitName);
}

/** Reference results of one row at a time. */
export class ReferenceResults {
  /** Row that was loaded last. */
  readonly row: ReferenceRow;
  readonly #buffers = new Map<ReferenceName, ReferenceValues>();
  #values: Float64Array[] = [];
  #sizes: RowSizes | null = null;

  /** @param inputs auxiliary columns, in the order of InputRows */
  constructor(
    readonly classes: number,
    readonly temperature: number,
    private readonly inputs: readonly { option: InputUse }[],
  ) {
    this.row = referenceRowOf(classes);
  }

  /** Loads a row from `rows`; returns false for a bad row, which has no results. */
  load(rows: InputRows, row: number): boolean {
    const { classes, temperature } = this;
    this.#sizes = null;
    this.#values = this.inputs.map((_, n) => rows.values(row, n + 1));
    return (
      this.inputs.every(({ option }, n) =>
        isUsableInput(option, classes, this.#values[n] as Float64Array),
      ) && referenceRow(rows.values(row, 0), { temperature }, this.row) !== null
    );
  }

  /** Returns the values of a result, which the next call with the same name overwrites. */
  result(name: ReferenceName, input: ArrayLike<number>): ReferenceValues {
    let buffer = this.#buffers.get(name);
    if (!buffer) {
      buffer = referenceValues(valuesOf(name, this.classes));
      this.#buffers.set(name, buffer);
    }
    referenceResult(name, this.row, input, buffer);
    return buffer;
  }

  /** Returns the argument of a result beside the logits: values of an input, or one class for all rows. */
  inputOf({ name, input, param }: ResultColumn): ArrayLike<number> {
    if (input >= 0) return this.#values[input] ?? [];
    return name === "column" && param >= 0 ? [param] : [];
  }

  scale(name: ReferenceName, input: ArrayLike<number>): Float64Array | null {
    return errorScale(name, () => this.sizes, input);
  }

  /** Quantities of the row that scale the errors, rounded to float64. */
  get sizes(): RowSizes {
    if (this.#sizes) return this.#sizes;
    const { p, q, d, masked, peak, log, winner } = this.row;
    this.#sizes = {
      winner,
      p: Float64Array.from(p, toDouble),
      q: Float64Array.from(q, toDouble),
      d: d.map((x, k) => (masked[k] ? -Infinity : toDouble(x))),
      temperature: this.temperature,
      peak: toDouble(peak),
      log: toDouble(log),
    };
    return this.#sizes;
  }
}
