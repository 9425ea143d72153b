import { entryIndices, indexProblem } from "../reader/block-entries.js";
import type { PresentColumn } from "../reader/output-columns.js";
import type { Cells } from "../reader/stored-rows.js";
import type { RowSizes } from "../reference/error-scales.js";
import { storeEntry, storeLogEntry } from "../reference/result.js";
import { type ReferenceValues, referenceValues } from "../reference/scaled.js";
import {
  type CheckContext,
  type ColumnCheck,
  typePrecision,
} from "./column-check.js";
import type { ReferenceResults } from "./reference-results.js";

/** Tolerance in ε: the error of a stored entry, and of the product of two rounded p and 1/T. */
const TOLERANCE = 3 + 4;

/**
 * Checks the choice of stored entries, their values, and the numbers about dropped entries. Finds the columns by their
 * documented names, not by the table of the writer, so that a mistake of it is found.
 */
export class EntriesCheck {
  readonly #isLog: boolean;
  /** Minimum size of a stored entry: the threshold, or the smallest number of the type. */
  readonly #minSize: number;
  #truths = referenceValues(0);
  readonly #one = referenceValues(1);

  /** @param checks checks of the columns; null for indices */
  constructor(
    private readonly reference: ReferenceResults,
    private readonly context: CheckContext,
    private readonly columns: readonly PresentColumn[],
    private readonly checks: readonly (ColumnCheck | null)[],
  ) {
    const { dtype, threshold, emit } = context.run;
    this.#isLog = emit.includes("log_jacobian");
    this.#minSize = Math.max(threshold, typePrecision(dtype, 0).smallest);
  }

  /** Checks the row that `reference` has loaded. */
  check(row: number, cells: Cells): void {
    const { sizes } = this.reference;
    const { classes, dtype, layout, temperature, topK } = this.context.run;
    const cellOf = (name: string) => cells[this.#indexOf(name)] ?? null;
    const valuesName = layout === "coo" ? "value" : "values";
    const values = cellOf(valuesName);
    const [i, j] = [cellOf("i"), cellOf("j")];
    const indices = i && j ? entryIndices(i, j, classes) : cellOf("indices");
    if (!values || !indices) return;
    const problem =
      indices.length === values.length
        ? indexProblem(indices, classes)
        : `expected equal numbers of values and indices, found ${values.length} and ${indices.length}`;
    if (problem !== null) {
      this.context.problems.addToRow(row, problem);
      return;
    }
    const truths = this.#truthsOf(indices);
    const checkOf = (name: string) => this.checks[this.#indexOf(name)];
    checkOf(valuesName)?.check(row, truths, values, null, indices);
    const minStored = this.#checkStored(row, indices, values);
    const dropped = droppedEntries(sizes, temperature, indices, this.#isLog);
    this.#checkDropped(row, indices.length, minStored, dropped);
    // A float32 below the normal ones is only right within half a step of 2^-149. With topK, the kernel may exchange a
    // stored entry for a dropped one that rounds to the same float32: their difference is at most one step. It adds this
    // float32 for each such entry that is dropped.
    const minSize = dtype === "float32" ? 2 ** -126 : 0;
    const halfSteps = classes ** 2 + indices.length;
    const exchanged = topK > 0 ? halfSteps * minSize : 0;
    // Each subnormal size is only right within half a step of 2^-1074.
    const subnormal = (dropped.subnormal / temperature) * 2 ** -1022;
    const scale = dropped.sum + subnormal + exchanged;
    for (const [name, truth, size] of [
      ["dropped_max", dropped.max, Math.max(dropped.max, minSize)],
      ["dropped_sum", dropped.sum, scale],
    ] as const) {
      const stored = cellOf(name);
      this.#one.high[0] = truth;
      const scales = Float64Array.of(size);
      if (stored) checkOf(name)?.check(row, this.#one, stored, scales);
    }
  }

  #indexOf(name: string): number {
    return this.columns.findIndex((column) => column.name === name);
  }

  #truthsOf(indices: ArrayLike<number>): ReferenceValues {
    const { row } = this.reference;
    const { classes } = row;
    const store = this.#isLog ? storeLogEntry : storeEntry;
    if (this.#truths.high.length < indices.length)
      this.#truths = referenceValues(2 * indices.length);
    for (let n = 0; n < indices.length; n++) {
      const index = indices[n] as number;
      const j = index % classes;
      store(row, this.#truths, n, (index - j) / classes, j);
    }
    return this.#truths;
  }

  /** Checks threshold and topK, and returns the smallest stored size. */
  #checkStored(
    row: number,
    indices: ArrayLike<number>,
    values: ArrayLike<number>,
  ): number {
    const { problems, run } = this.context;
    const { threshold, topK, classes } = run;
    let min = Infinity;
    let minIndex = 0;
    for (let n = 0; n < values.length; n++) {
      const size = Math.abs(values[n] as number);
      if (size < min) {
        min = size;
        minIndex = n;
      }
    }
    if (min < threshold || min === 0)
      problems.addToRow(
        row,
        `expected entries of ${threshold > 0 ? `at least ${threshold}` : "more than 0"}, found ${min} at ${entryName(indices[minIndex] as number, classes)}`,
      );
    if (topK > 0 && values.length > topK)
      problems.addToRow(
        row,
        `expected at most ${topK} entries, found ${values.length}`,
      );
    return min;
  }

  #checkDropped(
    row: number,
    stored: number,
    minStored: number,
    { max, index }: { max: number; index: number },
  ): void {
    const { problems, run } = this.context;
    const { topK, classes } = run;
    const full = topK > 0 && stored >= topK;
    const limit = full ? Math.max(minStored, this.#minSize) : this.#minSize;
    // The maximum difference between a stored entry and its size computed here.
    const { epsilon, smallest, bound } = typePrecision(run.dtype, TOLERANCE);
    const factor = Math.max(1, 1 / run.temperature);
    const step = Math.max(smallest, 2 ** -1074 * factor);
    if (max <= limit + bound * epsilon * limit + 2 * step) return;
    const why = full ? ` (the smallest stored entry is ${minStored})` : "";
    problems.addToRow(
      row,
      `the entry ${entryName(index, classes)} of ${max} is missing${why}`,
    );
  }
}

function entryName(index: number, classes: number): string {
  const j = index % classes;
  return `[${(index - j) / classes}, ${j}]`;
}

/**
 * Measures the entries of a block that are not stored, in O(Q²). Sizes are right within 2 ε; their sum is compensated.
 *
 * @param stored ascending indices i·Q + j
 * @param isLog whether the block is that of log-softmax
 * @returns the largest |entry| and its index i·Q + j (-1 if no entry is dropped), the sum of |entry|, and the number of entries
 * that are below the normal numbers, times T
 */
function droppedEntries(
  { p, q }: RowSizes,
  temperature: number,
  stored: ArrayLike<number>,
  isLog: boolean,
) {
  const classes = p.length;
  // The factor of p_i in entry (i, j): p_j, or q_i = 1 - p_i on the diagonal.
  const factors = isLog
    ? new Float64Array(classes).fill(1)
    : Float64Array.from(p);
  let next = 0;
  let nextStored = stored[0] ?? -1;
  let [max, index, sum, lost, subnormal] = [0, -1, 0, 0, 0];
  for (let i = 0; i < classes; i++) {
    const pi = p[i] as number;
    if (!isLog) factors[i] = q[i] as number;
    for (let j = 0; j < classes; j++) {
      const position = i * classes + j;
      if (position === nextStored) {
        next++;
        nextStored = next < stored.length ? (stored[next] as number) : -1;
        continue;
      }
      const size =
        isLog && i === j ? (q[i] as number) : pi * (factors[j] as number);
      if (size < 2 ** -1022) subnormal++;
      const all = sum + size;
      lost += sum >= size ? sum - all + size : size - all + sum;
      sum = all;
      if (size > max) {
        max = size;
        index = position;
      }
    }
    if (!isLog) factors[i] = pi;
  }
  return {
    max: max / temperature,
    index,
    sum: (sum + lost) / temperature,
    subnormal,
  };
}
