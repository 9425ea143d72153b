import { wrongIndex } from "../reader/block-entries.js";
import { storeEntry, storeLogEntry } from "../reference/block-results.js";
import type { RowSizes } from "../reference/error-scales.js";
import { type ReferenceValues, referenceValues } from "../reference/scaled.js";
import type { ColumnCheck } from "./column-check.js";
import type { Findings } from "./findings.js";
import type { RowTruth } from "./row-truth.js";
import { typeOfErrors } from "./type-of-errors.js";

/** The entries of an example as stored. */
export interface StoredEntries {
  /** i·Q + j */
  indices: ArrayLike<number>;
  values: ArrayLike<number>;
  /** null: not in the file. */
  droppedMax: number | null;
  droppedSum: number | null;
}

interface EntriesOptions {
  log: boolean;
  dtype: "float32" | "float64";
  threshold: number;
  /** 0: all. */
  topK: number;
  tolerance: number;
  values: ColumnCheck;
  droppedMax: ColumnCheck | null;
  droppedSum: ColumnCheck | null;
  findings: Findings;
}

/** An entry's error, that of its product of two rounded p, and of 1/T. */
const ROOM = 3 + 4;

/** Checks which entries of a block are kept, their values, and what is said of those that are not. */
export class EntriesCheck {
  readonly #truth: RowTruth;
  readonly #options: EntriesOptions;
  /** Entries under it are left out: the threshold, but not what the type has no number for. */
  readonly #least: number;
  #truths = referenceValues(0);
  readonly #one = referenceValues(1);

  constructor(truth: RowTruth, options: EntriesOptions) {
    this.#truth = truth;
    this.#options = options;
    const { smallest } = typeOfErrors(options.dtype, 0);
    this.#least = Math.max(options.threshold, smallest);
  }

  /** Of the row that the truth is of. */
  check(row: number, entries: StoredEntries): void {
    const { findings } = this.#options;
    const broken = this.#brokenIndex(entries);
    if (broken !== null) {
      findings.addToRow(row, `${broken}`);
      return;
    }
    const { indices, values } = entries;
    this.#options.values.check(
      row,
      this.#truthsOf(indices),
      values,
      null,
      indices,
    );
    const leastKept = this.#checkKept(row, entries);
    const { sizes, temperature } = this.#truth;
    const { log } = this.#options;
    const dropped = droppedEntries(sizes, temperature, indices, log);
    this.#checkDropped(row, indices.length, leastKept, dropped);
    this.#checkOne(
      row,
      this.#options.droppedMax,
      entries.droppedMax,
      dropped.max,
    );
    this.#checkOne(
      row,
      this.#options.droppedSum,
      entries.droppedSum,
      dropped.sum,
    );
  }

  #brokenIndex({ indices, values }: StoredEntries): string | null {
    const { classes } = this.#truth;
    if (indices.length !== values.length)
      return `expected equal numbers of values and indices, found ${values.length} and ${indices.length}`;
    const n = wrongIndex(indices, classes);
    if (n < 0) return null;
    const [before, found] = [indices[n - 1], indices[n]].map((index = -1) =>
      placeOf(index, classes),
    );
    return `entry ${n}: expected ascending indices in the block of ${classes} classes, found ${found} after ${before}`;
  }

  #truthsOf(indices: ArrayLike<number>): ReferenceValues {
    const { classes, row } = this.#truth;
    const store = this.#options.log ? storeLogEntry : storeEntry;
    if (this.#truths.high.length < indices.length)
      this.#truths = referenceValues(2 * indices.length);
    for (let n = 0; n < indices.length; n++) {
      const index = indices[n] as number;
      const j = index % classes;
      store(row, this.#truths, n, (index - j) / classes, j);
    }
    return this.#truths;
  }

  /** The smallest entry kept; none of them may be under the threshold. */
  #checkKept(row: number, { indices, values }: StoredEntries): number {
    const { threshold, findings, topK } = this.#options;
    const { classes } = this.#truth;
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
      findings.addToRow(
        row,
        `expected entries of ${threshold > 0 ? `at least ${threshold}` : "more than 0"}, found ${least} at ${placeOf(indices[at] as number, classes)}`,
      );
    if (topK > 0 && values.length > topK)
      findings.addToRow(
        row,
        `expected at most ${topK} entries, found ${values.length}`,
      );
    return least;
  }

  #checkDropped(
    row: number,
    kept: number,
    leastKept: number,
    { max, index }: { max: number; index: number },
  ): void {
    const { topK, findings } = this.#options;
    const { classes } = this.#truth;
    const full = topK > 0 && kept >= topK;
    const limit = full ? Math.max(leastKept, this.#least) : this.#least;
    if (max <= limit + this.#room(limit)) return;
    const why = full ? ` (the smallest stored entry is ${leastKept})` : "";
    findings.addToRow(
      row,
      `the entry ${placeOf(index, classes)} of ${max} is missing${why}`,
    );
  }

  /** How far an entry as stored may be from the size that was worked out here. */
  #room(size: number): number {
    const { dtype, tolerance } = this.#options;
    const { temperature } = this.#truth;
    const { epsilon, smallest, bound } = typeOfErrors(dtype, ROOM);
    const step = Math.max(smallest, 2 ** -1074 * Math.max(1, 1 / temperature));
    return tolerance * (bound * epsilon * size + 2 * step);
  }

  #checkOne(
    row: number,
    check: ColumnCheck | null,
    found: number | null,
    truth: number,
  ): void {
    if (!check || found === null) return;
    this.#one.high[0] = truth;
    check.check(row, this.#one, [found]);
  }
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
