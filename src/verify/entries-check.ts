import { entryIndices, findInvalidIndex } from "../reader/block-entries.js";
import type { FoundColumn } from "../reader/output-columns.js";
import { storeEntry, storeLogEntry } from "../reference/block-results.js";
import type { RowSizes } from "../reference/error-scales.js";
import { type ReferenceValues, referenceValues } from "../reference/scaled.js";
import { type ColumnCheck, typeOfErrors } from "./column-check.js";
import type { CheckContext } from "./problems.js";
import type { TrueRow } from "./true-row.js";

type Kind = FoundColumn["source"]["kind"];

/** An entry's error, that of its product of two rounded p, and of 1/T. */
const ROOM = 3 + 4;

/** Checks which entries of a block are stored, their values, and the numbers about the dropped ones. */
export class EntriesCheck {
  readonly #isLog: boolean;
  /** Entries below it are dropped: the threshold, but not what the type has no number for. */
  readonly #least: number;
  #truths = referenceValues(0);
  readonly #one = referenceValues(1);

  constructor(
    private readonly truth: TrueRow,
    private readonly context: CheckContext,
    private readonly checkOf: (kind: Kind) => ColumnCheck | null,
  ) {
    const { dtype, threshold, emit } = context.run;
    this.#isLog = emit.includes("log_jacobian");
    this.#least = Math.max(threshold, typeOfErrors(dtype, 0).smallest);
  }

  /**
   * Checks the row that `truth` has loaded.
   * @param cellOf returns its stored values in the columns of a kind; null: not in the file
   */
  check(row: number, cellOf: (kind: Kind) => ArrayLike<number> | null): void {
    const { classes, sizes, temperature } = this.truth;
    const values = cellOf("values") as ArrayLike<number>;
    const i = cellOf("indices") as ArrayLike<number>;
    const j = cellOf("columns");
    const indices = j ? entryIndices(i, j, classes) : i;
    const problem = indicesProblem(indices, values, classes);
    if (problem !== null) {
      this.context.problems.addToRow(row, problem);
      return;
    }
    const truths = this.#truthsOf(indices);
    this.checkOf("values")?.check(row, truths, values, null, indices);
    const minKept = this.#checkKept(row, indices, values);
    const dropped = droppedEntries(sizes, temperature, indices, this.#isLog);
    this.#checkDropped(row, indices.length, minKept, dropped);
    for (const [kind, truth] of [
      ["droppedMax", dropped.max],
      ["droppedSum", dropped.sum],
    ] as const) {
      const found = cellOf(kind);
      this.#one.high[0] = truth;
      if (found) this.checkOf(kind)?.check(row, this.#one, found);
    }
  }

  #truthsOf(indices: ArrayLike<number>): ReferenceValues {
    const { classes, row } = this.truth;
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

  /** Checks that no stored entry is below the threshold, and returns the smallest. */
  #checkKept(
    row: number,
    indices: ArrayLike<number>,
    values: ArrayLike<number>,
  ): number {
    const { problems, run } = this.context;
    const { threshold, topK, classes } = run;
    let least = Infinity;
    let at = 0;
    for (let n = 0; n < values.length; n++) {
      const size = Math.abs(values[n] as number);
      if (size < least) {
        least = size;
        at = n;
      }
    }
    if (least < threshold || least === 0)
      problems.addToRow(
        row,
        `expected entries of ${threshold > 0 ? `at least ${threshold}` : "more than 0"}, found ${least} at ${placeOf(indices[at] as number, classes)}`,
      );
    if (topK > 0 && values.length > topK)
      problems.addToRow(
        row,
        `expected at most ${topK} entries, found ${values.length}`,
      );
    return least;
  }

  #checkDropped(
    row: number,
    kept: number,
    minKept: number,
    { max, index }: { max: number; index: number },
  ): void {
    const { problems, run } = this.context;
    const { topK, classes } = run;
    const full = topK > 0 && kept >= topK;
    const limit = full ? Math.max(minKept, this.#least) : this.#least;
    if (max <= limit + this.#room(limit)) return;
    const why = full ? ` (the smallest stored entry is ${minKept})` : "";
    problems.addToRow(
      row,
      `the entry ${placeOf(index, classes)} of ${max} is missing${why}`,
    );
  }

  /** Returns how far a stored entry may be from the size that is computed here. */
  #room(size: number): number {
    const { run } = this.context;
    const { epsilon, smallest, bound } = typeOfErrors(run.dtype, ROOM);
    const factor = Math.max(1, 1 / run.temperature);
    const step = Math.max(smallest, 2 ** -1074 * factor);
    return bound * epsilon * size + 2 * step;
  }
}

function indicesProblem(
  indices: ArrayLike<number>,
  values: ArrayLike<number>,
  classes: number,
): string | null {
  if (indices.length !== values.length)
    return `expected equal numbers of values and indices, found ${values.length} and ${indices.length}`;
  const n = findInvalidIndex(indices, classes);
  if (n < 0) return null;
  const [before, found] = [indices[n - 1], indices[n]].map((index = -1) =>
    placeOf(index, classes),
  );
  return `entry ${n}: expected ascending indices in the block of ${classes} classes, found ${found} after ${before}`;
}

function placeOf(index: number, classes: number): string {
  const j = index % classes;
  return !(index >= 0) ? "none" : `[${(index - j) / classes}, ${j}]`;
}

/** Dropped entries of a block: the largest |entry|, its position i·Q + j (-1: there is none), and the sum of all. */
interface DroppedEntries {
  max: number;
  index: number;
  sum: number;
}

/**
 * Measures the entries of a block that are not at `kept`, which is ascending. It visits all Q² entries; sizes are right
 * within 2 ε, their sum is compensated.
 *
 * @param log of log-softmax's block
 */
function droppedEntries(
  { p, q }: RowSizes,
  temperature: number,
  kept: ArrayLike<number>,
  log: boolean,
): DroppedEntries {
  const classes = p.length;
  // Factor of p_i in its row.
  const others = log ? new Float64Array(classes).fill(1) : Float64Array.from(p);
  let next = 0;
  let following = kept[0] ?? -1;
  let [max, index, sum, lost] = [0, -1, 0, 0];
  for (let i = 0; i < classes; i++) {
    const own = p[i] as number;
    if (!log) others[i] = q[i] as number;
    for (let j = 0; j < classes; j++) {
      const place = i * classes + j;
      if (place === following) {
        next++;
        following = next < kept.length ? (kept[next] as number) : -1;
        continue;
      }
      const size =
        log && i === j ? (q[i] as number) : own * (others[j] as number);
      const all = sum + size;
      lost += sum >= size ? sum - all + size : size - all + sum;
      sum = all;
      if (size > max) {
        max = size;
        index = place;
      }
    }
    if (!log) others[i] = own;
  }
  return {
    max: max / temperature,
    index,
    sum: (sum + lost) / temperature,
  };
}
