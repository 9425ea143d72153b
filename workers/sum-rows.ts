import type { BadRow } from "../src/kernels/bad-row.js";
import type { Kernel } from "../src/kernels/kernel.js";
import { type SumsRows, SumsSpace } from "../src/kernels/sums.js";
import { BLOCK_ROWS } from "../src/kernels/sums-layout.js";
import type {
  SumsPart,
  SumsSetup,
  SumsTask,
  WorkerContext,
} from "../src/tasks/run-tasks.js";
import { loadRows } from "./load-rows.js";
import { TaskFailure } from "./slot-bytes.js";
import { SlotRows } from "./slot-rows.js";

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
    this.#spaces = passes.map(({ spec }) => new SumsSpace(module, spec));
  }

  run({ slot, rowStart, rowEnd, pieces }: SumsTask): {
    badRows: number[];
    sums: SumsPart;
  } {
    const context = this.#context;
    const { passes, keys } = this.#setup;
    const base = slot * context.slot.bytes;
    const slotRows = new SlotRows(context, this.#kernel, base);
    const rows = rowEnd - rowStart;
    loadRows(slotRows, pieces, rowStart, rowEnd);
    const columns = keys.map((n) => slotRows.numbers(n, rows) as Float64Array);
    const grouped = keys.length > 0 ? groupsOf(columns, rows) : null;
    const groups = grouped?.first.length ?? 1;
    if (groups > this.#setup.maxGroups)
      return {
        badRows: [],
        sums: { keys: new Float64Array(0), groups, states: [] },
      };
    const input = this.#input(slotRows, rows, grouped?.groups);
    let badRows: number[] = [];
    let { weights } = input;
    const states = passes.map(({ isGrouped }, n) => {
      const space = this.#spaces[n] as SumsSpace;
      const pass = {
        ...input,
        weights,
        groups: isGrouped ? input.groups : undefined,
      };
      const { bad, overflow } = this.#add(space, pass, grouped?.first.length);
      if (n === 0) {
        // The first pass has all inputs, so it finds all bad rows. The others leave them out, even if they replace a bad feature.
        badRows = bad;
        if (bad.length > 0 && passes.length > 1)
          weights = withoutRows(weights, bad, rows);
      }
      if (overflow !== null) this.#failAt(pass, overflow, rowStart);
      space.ensureGroups((isGrouped ? grouped?.first.length : null) ?? 1);
      const state = space.takeShared();
      space.clear();
      return state;
    });
    for (const row of badRows) this.#reject(slotRows, row, rowStart);
    const firstRows = grouped?.first ?? [];
    const keysOfGroups = firstRows.flatMap((row) =>
      columns.map((values) => values[row] as number),
    );
    return {
      badRows: badRows.map((row) => rowStart + row),
      sums: { keys: Float64Array.from(keysOfGroups), groups, states },
    };
  }

  /** Adds rows. Throws TaskFailure if their groups do not fit into memory. */
  #add(space: SumsSpace, rows: SumsRows, groups = 1) {
    try {
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

  /** Throws TaskFailure if bad rows end the task or the row's label is invalid. */
  #reject(slotRows: SlotRows, row: number, rowStart: number): void {
    const reason = this.#reason(slotRows, row);
    if (this.#context.onBadRow !== "error" && !reason.advice) return;
    throw new TaskFailure({
      kind: "bad-row",
      row: rowStart + row,
      ...reason,
      advice: reason.advice ?? "--on-bad-row skip leaves such rows out",
    });
  }

  #reason(slotRows: SlotRows, row: number): BadRow {
    const reason = slotRows.badRowReason(row);
    if (reason) return reason;
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
    throw new Error(`row ${row} of a load has no bad value`);
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
      text: "a term of a sum is infinite: a label is a masked class, or a value is near the end of float64",
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

/** Numbers the groups of rows by their first appearance; returns each row's group and the first row of each group. */
function groupsOf(
  columns: readonly Float64Array[],
  rows: number,
): { groups: Int32Array; first: number[] } {
  const groups = new Int32Array(rows);
  let first: number[] = rows > 0 ? [0] : [];
  for (const values of columns) {
    const { codes, size } = codesOf(values);
    // Groups so far, times the values of the next column.
    const isSmall = size * first.length <= limitOf(rows);
    const table = new Int32Array(isSmall ? size * first.length : 0);
    const map = new Map<number, number>();
    first = [];
    for (let r = 0; r < rows; r++) {
      const key = (groups[r] as number) * size + (codes[r] as number);
      let next = isSmall ? (table[key] as number) : (map.get(key) ?? 0);
      if (next === 0) {
        next = first.push(r);
        if (isSmall) table[key] = next;
        else map.set(key, next);
      }
      groups[r] = next - 1;
    }
  }
  return { groups, first };
}

/** Returns values as numbers from 0 to size - 1: their differences from the smallest one, or numbers in order of appearance. */
function codesOf(values: Float64Array): { codes: Int32Array; size: number } {
  let [min, max] = [0, -1];
  let isWhole = true;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    if (min > max) min = max = value;
    if (value < min) min = value;
    if (value > max) max = value;
    isWhole &&= value % 1 === 0;
  }
  // The last one is null.
  const size = max - min + 2;
  const codes = new Int32Array(values.length);
  if (isWhole && size <= limitOf(values.length)) {
    for (let r = 0; r < codes.length; r++) {
      const value = values[r] as number;
      codes[r] = Number.isNaN(value) ? size - 1 : value - min;
    }
    return { codes, size };
  }
  const known = new Map<number, number>();
  for (const [r, value] of values.entries()) {
    const code = known.get(value) ?? known.size;
    known.set(value, code);
    codes[r] = code;
  }
  return { codes, size: known.size };
}

/** Returns the largest size of a table that is worth its memory. */
function limitOf(rows: number): number {
  return 4 * rows + 1024;
}
