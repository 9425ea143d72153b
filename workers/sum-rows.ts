import type { BadRow } from "../src/kernels/bad-row.js";
import type { Kernel } from "../src/kernels/kernel.js";
import { type SumsRows, SumsSpace } from "../src/kernels/sums.js";
import { BLOCK_ROWS } from "../src/kernels/sums-layout.js";
import { GroupNumbers } from "../src/tasks/group-numbers.js";
import type {
  Steps,
  SumsPart,
  SumsSetup,
  SumsTask,
  WorkerContext,
} from "../src/tasks/run-tasks.js";
import { loadRows } from "./load-rows.js";
import { TaskFailure } from "./slot-bytes.js";
import { rejectRow, SlotRows } from "./slot-rows.js";

/** Adds the rows of tasks to sums. Each task returns its sums, so that nothing but the task is lost with the thread. */
export class RowSummer {
  readonly #context: WorkerContext;
  readonly #kernel: Kernel;
  readonly #setup: SumsSetup;
  readonly #spaces: SumsSpace[];

  constructor(context: WorkerContext, kernel: Kernel) {
    this.#context = context;
    this.#kernel = kernel;
    this.#setup = context.sums as SumsSetup;
    const { passes, module } = this.#setup;
    this.#spaces = passes.map(
      ({ spec, isGrouped }) =>
        new SumsSpace(module, spec, isGrouped ? context.loadRows : undefined),
    );
  }

  /** Adds the rows of a task, one load at a time, and pauses after each load. */
  *run({ slot, rowStart, rowEnd, pieces }: SumsTask): Steps<{
    badRows: number[];
    sums: SumsPart;
  }> {
    const context = this.#context;
    const { passes, keys, maxGroups } = this.#setup;
    const base = slot * context.slot.bytes;
    const slotRows = new SlotRows(context, this.#kernel, base);
    const groups = new GroupNumbers();
    if (keys.length === 0) groups.indexOf(new Float64Array(0));
    const badRows: number[] = [];
    for (let start = rowStart; start < rowEnd; start += context.loadRows) {
      const rows = Math.min(context.loadRows, rowEnd - start);
      loadRows(slotRows, pieces, start, start + rows);
      const numbers =
        keys.length > 0 ? this.#groupsOf(slotRows, rows, groups) : undefined;
      if (groups.size > maxGroups) break;
      const input = this.#input(slotRows, rows, numbers);
      for (const row of this.#addLoad(input, groups.size, start)) {
        const other = () => this.#otherReason(slotRows, row);
        badRows.push(rejectRow(slotRows, row, start, other));
      }
      yield;
    }
    const isTooMany = groups.size > maxGroups;
    const states = isTooMany
      ? []
      : this.#spaces.map((space, n) => {
          space.ensureGroups(passes[n]?.isGrouped ? groups.size : 1);
          return space.take();
        });
    for (const space of this.#spaces) space.clear();
    return {
      badRows,
      sums: {
        keys: isTooMany ? new Float64Array(0) : groups.keys,
        groups: groups.size,
        states,
      },
    };
  }

  /** Returns the groups of the rows of a load, which are numbered in `known`. */
  #groupsOf(slotRows: SlotRows, rows: number, known: GroupNumbers): Int32Array {
    const columns = this.#setup.keys.map(
      (n) => slotRows.numbers(n, rows) as Float64Array,
    );
    const groups = new Int32Array(rows);
    const key = new Float64Array(columns.length);
    for (let r = 0; r < rows; r++) {
      for (let k = 0; k < key.length; k++)
        key[k] = (columns[k] as Float64Array)[r] as number;
      groups[r] = known.indexOf(key);
    }
    return groups;
  }

  /** Adds the rows of a load, which starts at row `start` of the input, and returns the bad ones. */
  #addLoad(input: SumsRows, groups: number, start: number): number[] {
    const { passes } = this.#setup;
    let badRows: number[] = [];
    let { weights } = input;
    for (const [n, { isGrouped }] of passes.entries()) {
      const space = this.#spaces[n] as SumsSpace;
      const pass = {
        ...input,
        weights,
        groups: isGrouped ? input.groups : undefined,
      };
      const { bad, overflow } = this.#add(space, pass, isGrouped ? groups : 1);
      if (n === 0) {
        // The first pass has all inputs, so it finds all bad rows. The others leave them out, even if they replace a bad feature.
        badRows = bad;
        if (bad.length > 0 && passes.length > 1)
          weights = withoutRows(weights, bad, input.rows);
      }
      if (overflow !== null) this.#failAt(pass, overflow, start);
    }
    return badRows;
  }

  /** Adds rows. Throws TaskFailure if their groups do not fit into memory. */
  #add(space: SumsSpace, rows: SumsRows, groups: number) {
    try {
      space.ensureGroups(groups);
      return space.add(rows);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new TaskFailure({
        kind: "unsupported",
        where: "--by",
        text: `the sums of ${groups} groups in ${rows.rows} rows do not fit into 4 GiB; use fewer groups or results, or a smaller --chunk-rows`,
      });
    }
  }

  #input(
    slotRows: SlotRows,
    rows: number,
    groups: Int32Array | undefined,
  ): SumsRows {
    const { logits, features, weights, inputs } = this.#setup;
    const numbers = (n: number) =>
      n < 0 ? undefined : (slotRows.numbers(n, rows) as Float64Array);
    return {
      rows,
      groups,
      logits: logits < 0 ? undefined : slotRows.numbers(logits, rows),
      features: numbers(features),
      weights: numbers(weights),
      inputs: inputs.map((n) => numbers(n) as Float64Array),
    };
  }

  /** Returns why a row is bad whose values are good, each by itself. */
  #otherReason(slotRows: SlotRows, row: number): BadRow | null {
    const { logits } = this.#setup;
    const { sources } = this.#context;
    const y = sources.findIndex(({ holds }) => holds === "class");
    const label =
      y < 0 ? Number.NaN : (slotRows.numbers(y, 1, row)[0] as number);
    if (logits >= 0 && slotRows.numbers(logits, 1, row)[label] === -Infinity)
      return {
        expected: `a class that is not masked in ${sources[y]?.name}`,
        found: `${label}, whose logit is -inf`,
      };
    // Only computed logits can be infinite although all values of the row are valid.
    if (logits < 0)
      return {
        expected: "features × coefficients that float64 can hold",
        found: "an infinite product or sum",
      };
    return null;
  }

  /** Throws TaskFailure for a block of rows in which a term of a sum is infinite; names a feature if its square is. */
  #failAt(
    { features, weights, rows }: SumsRows,
    start: number,
    rowStart: number,
  ): never {
    const { terms, intercept } = this.#setup;
    const perRow = (features?.length ?? 0) / rows;
    const end = Math.min(rows, start + BLOCK_ROWS);
    for (let row = start; row < end; row++) {
      const weight = weights?.[row] ?? 1;
      if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY)) continue;
      for (let k = 0; features && k < perRow; k++) {
        const x = features[row * perRow + k] as number;
        if (!Number.isFinite(x) || Number.isFinite(x * x * weight)) continue;
        const isWeight = Number.isFinite(x * x);
        throw new TaskFailure({
          kind: "unsupported",
          where: `row ${rowStart + row}, feature ${terms[k + (intercept ? 1 : 0)]}`,
          text: `the square of ${x}${isWeight ? `, times the weight ${weight},` : ""} exceeds float64; scale the ${isWeight ? "weights" : "feature"}`,
        });
      }
    }
    throw new TaskFailure({
      kind: "unsupported",
      where: `rows ${rowStart + start} to ${rowStart + end - 1}`,
      text: "a term of a sum is infinite: log_softmax or the loss of a masked class, or a value near the end of float64; mask classes with -inf, not with the smallest float",
    });
  }
}

/** Returns a copy of weights in which some rows are bad. */
function withoutRows(
  weights: Float64Array | undefined,
  bad: readonly number[],
  rows: number,
): Float64Array {
  const out = weights?.slice() ?? new Float64Array(rows).fill(1);
  for (const row of bad) out[row] = Number.NaN;
  return out;
}
