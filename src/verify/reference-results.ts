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
import type { StoredRun } from "../results/run-metadata.js";

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

  /** @param inputs auxiliary columns, in the order of `rows` */
  constructor(
    private readonly run: Pick<StoredRun, "classes" | "temperature">,
    private readonly rows: InputRows,
    private readonly inputs: readonly { option: InputUse }[],
  ) {
    this.row = referenceRowOf(run.classes);
  }

  /** Loads a row of the input; returns false for a bad row, which has no results. */
  load(row: number): boolean {
    const { classes, temperature } = this.run;
    this.#sizes = null;
    this.#values = this.inputs.map((_, n) => this.rows.values(row, n + 1));
    return (
      this.inputs.every(({ option }, n) =>
        isUsableInput(option, classes, this.#values[n] as Float64Array),
      ) &&
      referenceRow(this.rows.values(row, 0), { temperature }, this.row) !== null
    );
  }

  /**
   * Returns the values of a result, which the next call for the same result overwrites, and the scale of their errors; null
   * for errors relative to the values.
   */
  result(column: ResultColumn): {
    truths: ReferenceValues;
    scale: Float64Array | null;
  } {
    const name = referenceName(column);
    let truths = this.#buffers.get(name);
    if (!truths) {
      truths = referenceValues(valuesOf(name, this.run.classes));
      this.#buffers.set(name, truths);
    }
    // The argument beside the logits: values of an input, or one class for all rows.
    const ofAllRows =
      name === "column" && column.param >= 0 ? [column.param] : [];
    const input = this.#values[column.input] ?? ofAllRows;
    referenceResult(name, this.row, input, truths);
    return { truths, scale: errorScale(name, () => this.sizes, input) };
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
      temperature: this.run.temperature,
      peak: toDouble(peak),
      log: toDouble(log),
    };
    return this.#sizes;
  }
}
