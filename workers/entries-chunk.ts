import { endOfTile } from "../src/numeric/entry-tiles.js";
import type { Kernel } from "../src/numeric/kernel.js";
import { rowCountAt } from "../src/numeric/portable/sparse-space.js";
import type {
  EntriesPart,
  EntriesSetup,
  EntriesTask,
  SourceSetup,
  WorkerSetup,
} from "../src/pool/protocol.js";
import { describeRow } from "./describe-row.js";
import { loadRows } from "./load-rows.js";
import { TaskFailure } from "./task-failure.js";

/**
 * One task of a run over single entries: the results and entries of its rows into the slot, until it is full or the rows
 * are done. What the kernel found of a row that did not fit stays in the slot, for the task that goes on.
 */
export function computeEntries(
  setup: WorkerSetup,
  entries: EntriesSetup,
  kernel: Kernel,
  task: EntriesTask,
): { badRows: number[]; part: EntriesPart } {
  const chunk = new EntriesChunk(setup, entries, kernel, task);
  const rows = task.rowEnd - task.rowStart;
  const from = task.from ?? { row: 0, i: -1 };
  if (!task.from) chunk.load();
  let { row, i } = from;
  const begun = i < 0 ? row : row + 1;
  for (; row < rows; row++, i = -1) {
    if (i < 0) {
      if (chunk.full) break;
      chunk.begin(row);
      i = 0;
    }
    i = chunk.storeFrom(row, i);
    if (i < setup.classes) break;
  }
  return {
    badRows: chunk.badRows,
    part: {
      from: begun,
      to: i < 0 ? row : Math.min(row + 1, rows),
      entries: chunk.used,
      next: row < rows ? { row, i } : null,
    },
  };
}

class EntriesChunk {
  used = 0;
  readonly badRows: number[] = [];
  readonly #base: number;
  // One view of each for all rows: making a view takes as long as a short row's entries.
  readonly #counts: Float64Array;
  readonly #droppedMax: Float64Array;
  readonly #droppedSum: Float64Array;
  readonly #dropped: Float64Array;
  readonly #rowCounts: Int32Array;

  constructor(
    private readonly setup: WorkerSetup,
    private readonly entries: EntriesSetup,
    private readonly kernel: Kernel,
    private readonly task: EntriesTask,
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
    this.#rowCounts = new Int32Array(
      setup.buffer,
      rowCountAt(base + entries.space, setup.classes, 0),
      setup.classes,
    );
  }

  get full(): boolean {
    return this.used === this.entries.capacity;
  }

  /** Reads the task's rows. */
  load(): void {
    const { kernel, setup, task } = this;
    const { rowStart, rowEnd, pieces } = task;
    kernel.prepare(this.#base + setup.slot.work);
    loadRows(setup, kernel, pieces, rowStart, rowEnd, this.#base);
    const numbers = this.#base + setup.slot.rowNumbers;
    kernel.storeRowNumbers(rowStart, rowEnd - rowStart, numbers);
  }

  /** The row's results, and which entries it has; for a bad row zeros, and none. */
  begin(row: number): void {
    const { kernel, setup, entries } = this;
    const { classes, slot } = setup;
    const base = this.#base;
    const work = base + slot.work;
    const logits = setup.sources[0] as SourceSetup;
    const float32 = logits.type === "float32";
    const source =
      base +
      (slot.sources[0]?.values ?? 0) +
      row * logits.values * (float32 ? 4 : 8);
    let good =
      kernel.loadRow(source, float32, classes, setup.temperature, work) !== 0;
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
          base + entries.space,
          entries.threshold,
          entries.topK,
          entries.float32,
          base + entries.dropped,
        )
      : 0;
    this.#counts[row] = count;
    this.#droppedMax[row] = good ? (this.#dropped[0] as number) : 0;
    this.#droppedSum[row] = good ? (this.#dropped[1] as number) : 0;
  }

  /** Stores the row's entries from row i of its block on. Returns where it stopped: `classes`, or where the slot is full. */
  storeFrom(row: number, i: number): number {
    const { kernel, setup, entries } = this;
    const { classes } = setup;
    const base = this.#base;
    if (this.#counts[row] === 0) return classes;
    const room = entries.capacity - this.used;
    const end = endOfTile(this.#rowCounts, i, room);
    if (end === i) return i;
    const at = this.used;
    const stored = kernel.storeEntries(
      base + setup.slot.work,
      classes,
      base + entries.space,
      i,
      end,
      base + entries.indices + 4 * at,
      entries.pairs ? base + entries.columns + 4 * at : 0,
      base + entries.values + (entries.float32 ? 4 : 8) * at,
      entries.float32,
    );
    this.used += stored;
    if (entries.pairs) this.#repeat(row, at, this.used);
    return end;
  }

  /** Beside entries [from, to): the row's number, and its values that stand with every entry. */
  #repeat(row: number, from: number, to: number): void {
    const { buffer } = this.setup;
    const { rows, repeated, examples } = this.entries;
    const number = BigInt(this.task.rowStart + row);
    new BigInt64Array(buffer, this.#base + rows).fill(number, from, to);
    repeated.forEach((place, n) => {
      const { place: source, width } = examples[n] as {
        place: number;
        width: number;
      };
      const [one, many] = [this.#base + source, this.#base + place];
      if (width === 4)
        new Int32Array(buffer, many).fill(
          new Int32Array(buffer, one)[row] as number,
          from,
          to,
        );
      else
        new BigInt64Array(buffer, many).fill(
          new BigInt64Array(buffer, one)[row] as bigint,
          from,
          to,
        );
    });
  }

  #markBad(row: number): void {
    const { setup, task } = this;
    const found = task.rowStart + row;
    if (setup.stopAtBadRow)
      throw new TaskFailure({
        kind: "bad-row",
        row: found,
        ...describeRow(setup, this.#base, row),
      });
    this.badRows.push(found);
    setup.results.forEach(({ values, width }, n) => {
      const out = this.#base + (setup.slot.results[n] as number);
      const bytes = values * width;
      new Uint8Array(setup.buffer, out + row * bytes, bytes).fill(0);
    });
  }
}
