import {
  type BadRow,
  describeBadInput,
  describeBadRow,
} from "../src/kernels/bad-row.js";
import type { Kernel } from "../src/kernels/kernel.js";
import { enter } from "../src/kernels/portable/machine.js";
import { ENTRY_BYTES, storeEntry } from "../src/kernels/portable/program.js";
import type { ResultColumn } from "../src/results/columns.js";
import type { WorkerContext } from "../src/tasks/run-tasks.js";
import type { SourceSetup } from "../src/tasks/slot-layout.js";
import { TaskFailure } from "./slot-bytes.js";

/** Settings of a worker that computing rows needs. */
export type RowsContext = Pick<
  WorkerContext,
  "buffer" | "classes" | "temperature" | "slot" | "results"
> & {
  sources: Pick<SourceSetup, "name" | "names" | "type" | "values" | "holds">[];
};

/** Rows [i, end) of the block of result `n`. */
interface Tile {
  n: number;
  i: number;
  end: number;
}

/** Rows in a slot, numbered from 0, and the kernel that computes their results. */
export class SlotRows<Context extends RowsContext = WorkerContext> {
  /** Address of the work area. */
  readonly work: number;

  /** @param base address of the slot */
  constructor(
    readonly context: Context,
    readonly kernel: Kernel,
    readonly base: number,
  ) {
    this.work = base + context.slot.work;
    kernel.prepare(this.work);
  }

  /** Stores all results of rows [first, first + count) from addresses `outs` on. Returns the bad rows, whose results are zeros. */
  compute(first: number, count: number, outs: readonly number[]): number[] {
    const { kernel, base, work } = this;
    const { buffer, slot, classes, temperature, results } = this.context;
    const program = base + slot.program;
    enter(buffer);
    results.forEach((result, n) => {
      const { code, values, width, param, type, input } = result;
      storeEntry(
        program + n * ENTRY_BYTES,
        code,
        outs[n] as number,
        values * width,
        this.#inputOf(result, first),
        input < 0 ? 0 : this.#rowBytes(input + 1),
        param,
        type === "float32",
      );
    });
    const bad = kernel.storeRows(
      this.#source(0, first),
      this.#isFloat32,
      count,
      classes,
      temperature,
      work,
      program,
      results.length,
      base + slot.badRows,
    );
    const badRows = new Int32Array(buffer, base + slot.badRows, bad);
    return Array.from(badRows, (row) => first + row);
  }

  /**
   * Stores the results of a row whose blocks do not fit the slot: blocks in tiles of `tileRows` rows at `outOf(n, iStart)`,
   * each of which it yields, other results at `outs`. Returns [row] if the row is bad (its results are zeros), else [].
   */
  *computeTiles(
    row: number,
    tileRows: number,
    outs: readonly number[],
    outOf: (result: number, iStart: number) => number,
  ): Generator<Tile, number[], void> {
    const { buffer, classes, results } = this.context;
    let good = this.load(row);
    for (const [n, { block, values, width }] of results.entries()) {
      const rows = block === null ? classes : tileRows;
      for (let i = 0; i < classes; i += rows) {
        const end = Math.min(i + rows, classes);
        const out = block === null ? (outs[n] as number) : outOf(n, i);
        good = good && this.storeResult(n, row, out, i, end);
        if (!good) {
          const count = block === null ? values : rows * classes;
          new Uint8Array(buffer, out, count * width).fill(0);
        }
        if (block !== null) yield { n, i, end };
      }
    }
    return good ? [] : [row];
  }

  /** Computes the softmax of a row into the work area. Returns false for a bad row. */
  load(row: number): boolean {
    const { classes, temperature } = this.context;
    const source = this.#source(0, row);
    return (
      this.kernel.loadRow(
        source,
        this.#isFloat32,
        classes,
        temperature,
        this.work,
      ) !== 0
    );
  }

  /** Stores result `n` of the row in the work area; for a block, its rows [i, end). Returns false for a bad row. */
  storeResult(
    n: number,
    row: number,
    out: number,
    i = 0,
    end = this.context.classes,
  ): boolean {
    const { classes, results } = this.context;
    const result = results[n] as ResultColumn;
    const { code, param, type } = result;
    return (
      this.kernel.storeResult(
        code,
        this.work,
        classes,
        i,
        end,
        this.#inputOf(result, row),
        param,
        out,
        type === "float32",
      ) !== 0
    );
  }

  /**
   * Returns why a row is bad, or null if it is good: an invalid label before all other reasons, then a bad feature or weight.
   * @param onlyLabels whether only labels are checked
   */
  badRowReason(row: number, onlyLabels = false): BadRow | null {
    const { classes, sources } = this.context;
    let first: BadRow | null = null;
    let own: BadRow | null = null;
    for (const [n, source] of sources.entries()) {
      const { holds } = source;
      if (onlyLabels && holds !== "class") continue;
      const numbers = this.numbers(n, 1, row);
      const reason =
        holds === "logits"
          ? describeBadRow(numbers)
          : describeBadInput(source, numbers as Float64Array, classes);
      if (reason?.advice) return reason;
      if (holds === "features" || holds === "weight") own ??= reason;
      first ??= reason;
    }
    return own ?? first;
  }

  /** Returns the values of source `n` (0: the logits) of `rows` rows, from row `first` on. */
  numbers(n: number, rows: number, first = 0): Float64Array | Float32Array {
    const { buffer, sources } = this.context;
    const address = this.#source(n, first);
    const count = rows * (sources[n]?.values ?? 0);
    return n === 0 && this.#isFloat32
      ? new Float32Array(buffer, address, count)
      : new Float64Array(buffer, address, count);
  }

  /** Returns the address of a row's values of source `n` (0: the logits). */
  #source(n: number, row: number): number {
    const values = this.context.slot.sources[n]?.values ?? 0;
    return this.base + values + row * this.#rowBytes(n);
  }

  #inputOf({ input }: ResultColumn, row: number): number {
    return input < 0 ? 0 : this.#source(input + 1, row);
  }

  #rowBytes(n: number): number {
    const values = this.context.sources[n]?.values ?? 0;
    return values * (n === 0 && this.#isFloat32 ? 4 : 8);
  }

  get #isFloat32(): boolean {
    const { type, holds } = this.context.sources[0] ?? {};
    return type === "float32" && holds === "logits";
  }
}

/**
 * Throws TaskFailure if bad rows end the task, or if the row's label is invalid. Returns the row's number in the file.
 * @param start number of the first row in the slot
 * @param otherReason reason of a row whose values are good, each by itself
 */
export function rejectRow(
  rows: SlotRows,
  row: number,
  start: number,
  otherReason: () => BadRow | null = () => null,
): number {
  const isEnd = rows.context.onBadRow === "error";
  const reason =
    rows.badRowReason(row, !isEnd) ?? (isEnd ? otherReason() : null);
  if (reason && (isEnd || reason.advice))
    throw new TaskFailure({ kind: "bad-row", row: start + row, ...reason });
  if (isEnd) throw new Error(`row ${row} of a load has no bad value`);
  return start + row;
}
