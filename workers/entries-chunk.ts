import { endOfTile } from "../src/numeric/entry-tiles.js";
import type { Kernel } from "../src/numeric/kernel.js";
import { rowCountAt } from "../src/numeric/portable/sparse-space.js";
import type {
  CountTask,
  EntriesSetup,
  SourceSetup,
  WorkerSetup,
} from "../src/pool/protocol.js";
import { refuseRow } from "./describe-row.js";
import type { EntriesOut } from "./entries-out.js";
import { loadRows } from "./load-rows.js";
import { storeIndices } from "./store-indices.js";

/** The rows of one task of a run over single entries, in its slot: their results, and the entries of each. */
export class EntriesChunk {
  readonly badRows: number[] = [];
  readonly #base: number;
  // One view of each for all rows: making a view takes as long as a short row's entries.
  readonly #counts: Float64Array;
  readonly #droppedMax: Float64Array;
  readonly #droppedSum: Float64Array;
  readonly #dropped: Float64Array;
  #rowCounts: Int32Array;

  constructor(
    private readonly setup: WorkerSetup,
    private readonly entries: EntriesSetup,
    private readonly kernel: Kernel,
    private readonly task: Pick<CountTask, "slot" | "rowStart" | "rowEnd">,
  ) {
    const base = task.slot * setup.slotBytes;
    this.#base = base;
    const rows = task.rowEnd - task.rowStart;
    const doubles = (place: number, length: number) =>
      new Float64Array(setup.buffer, base + place, length);
    this.#counts = doubles(entries.counts, rows);
    this.#droppedMax = doubles(entries.droppedMax, rows);
    this.#droppedSum = doubles(entries.droppedSum, rows);
    this.#dropped = doubles(entries.dropped, 2);
    this.#rowCounts = this.#rowCountsOf(0);
  }

  get rows(): number {
    return this.task.rowEnd - this.task.rowStart;
  }

  /** Reads the task's rows. */
  load(pieces: CountTask["pieces"]): void {
    const { kernel, setup, task } = this;
    const { rowStart, rowEnd } = task;
    kernel.prepare(this.#base + setup.slot.work);
    loadRows(setup, kernel, pieces, rowStart, rowEnd, this.#base);
    storeIndices(setup, kernel, rowStart, rowEnd - rowStart, this.#base);
  }

  /** The row's results, and which entries it has; for a bad row zeros, and none. Returns how many. */
  begin(row: number): number {
    const { kernel, setup, entries } = this;
    const { classes, slot } = setup;
    const base = this.#base;
    const work = base + slot.work;
    let good = this.softmax(row);
    setup.results.forEach((result, n) => {
      const { code, param, type, width, values, input } = result;
      const out = base + (slot.results[n] as number) + row * values * width;
      const place = slot.sources[input + 1]?.values ?? 0;
      const inputBytes = 8 * (setup.sources[input + 1]?.values ?? 0);
      const at = input < 0 ? 0 : base + place + row * inputBytes;
      good =
        good &&
        kernel.storeResult(
          code,
          work,
          classes,
          0,
          classes,
          at,
          param,
          out,
          type === "float32",
        ) !== 0;
    });
    if (!good) this.#markBad(row);
    const count = good
      ? kernel.countEntries(
          entries.code,
          work,
          classes,
          this.#spaceOf(row),
          entries.threshold,
          entries.topK,
          entries.float32,
          base + entries.dropped,
        )
      : 0;
    this.#counts[row] = count;
    this.#droppedMax[row] = good ? (this.#dropped[0] as number) : 0;
    this.#droppedSum[row] = good ? (this.#dropped[1] as number) : 0;
    return count;
  }

  /** Of a row that was begun. */
  countOf(row: number): number {
    return this.#counts[row] as number;
  }

  /** The row's softmax into the work area. False for a bad row. */
  softmax(row: number): boolean {
    const { kernel, setup } = this;
    const { classes, slot } = setup;
    const logits = setup.sources[0] as SourceSetup;
    const float32 = logits.type === "float32";
    const source =
      this.#base +
      (slot.sources[0]?.values ?? 0) +
      row * logits.values * (float32 ? 4 : 8);
    const work = this.#base + slot.work;
    if (this.entries.spaceBytes > 0) this.#rowCounts = this.#rowCountsOf(row);
    return (
      kernel.loadRow(source, float32, classes, setup.temperature, work) !== 0
    );
  }

  /** Stores the row's entries from row i of its block on. Returns where it stopped: `classes`, or where `out` is full. */
  storeFrom(row: number, i: number, out: EntriesOut): number {
    const { kernel, setup, entries } = this;
    const { classes, slot } = setup;
    const base = this.#base;
    if (this.countOf(row) === 0) return classes;
    const end = endOfTile(this.#rowCounts, i, out.room);
    if (end === i) return i;
    const { indices, columns, values } = out.next;
    const count = kernel.storeEntries(
      base + slot.work,
      classes,
      this.#spaceOf(row),
      i,
      end,
      indices,
      columns,
      values,
      entries.float32,
    );
    out.stored(
      count,
      base + slot.rowNumbers + 8 * row,
      entries.examples.map(({ place, width }) => base + place + width * row),
    );
    return end;
  }

  #spaceOf(row: number): number {
    const { space, spaceBytes } = this.entries;
    return this.#base + space + row * spaceBytes;
  }

  #rowCountsOf(row: number): Int32Array {
    const { buffer, classes } = this.setup;
    const at = rowCountAt(this.#spaceOf(row), classes, 0);
    return new Int32Array(buffer, at, classes);
  }

  #markBad(row: number): void {
    const { setup, task } = this;
    const found = task.rowStart + row;
    refuseRow(setup, this.#base, row, found);
    this.badRows.push(found);
    setup.results.forEach(({ values, width }, n) => {
      const out = this.#base + (setup.slot.results[n] as number);
      const bytes = values * width;
      new Uint8Array(setup.buffer, out + row * bytes, bytes).fill(0);
    });
  }
}
