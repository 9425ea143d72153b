import { padBefore } from "../src/io/write-or-compare.js";
import type { Kernel } from "../src/kernels/kernel.js";
import { blockRowStart, type ResultColumn } from "../src/results/columns.js";
import type {
  RowChunkTask,
  Steps,
  WorkerContext,
} from "../src/tasks/run-tasks.js";
import { loadRows } from "./load-rows.js";
import { damaged, writeSlot } from "./slot-bytes.js";
import { rejectRow, SlotRows } from "./slot-rows.js";

/**
 * Runs one task: reads the rows of the chunk into the slot, one load at a time, computes each load in row blocks, and
 * writes the results to their final offsets. Pauses after each row block or tile. Returns the bad rows.
 */
export function* computeRowChunk(
  { output, ...others }: WorkerContext,
  kernel: Kernel,
  task: RowChunkTask,
): Steps<number[]> {
  const context = { ...others, output: { ...output, memory: task.target } };
  const { slot, results } = context;
  const base = task.slot * context.slot.bytes;
  const slotRows = new SlotRows(context, kernel, base);
  const badRows: number[] = [];
  for (
    let start = task.rowStart;
    start < task.rowEnd;
    start += context.loadRows
  ) {
    const rows = Math.min(context.loadRows, task.rowEnd - start);
    const done = start - task.rowStart;
    loadRows(slotRows, task.pieces, start, start + rows);
    // Addresses of the load's results, except blocks.
    const outs = results.map(({ values, width }, n) => {
      const position = (task.results[n] as number) + done * values * width;
      return alignLike(base + (slot.results[n] as number), position);
    });
    for (let first = 0; first < rows; first += context.rowBlockSize) {
      const count = Math.min(context.rowBlockSize, rows - first);
      const bad = computeRows(slotRows, task, done, first, count, outs);
      for (const row of yield* bad)
        badRows.push(rejectRow(slotRows, row, start));
      yield;
    }
    for (const { from, to, out } of runsWritten(task, done, done + rows)) {
      const write = (region: number, position: number, bytes: number) =>
        writeSlot(
          context,
          region + (from - done) * bytes,
          (to - from) * bytes,
          position + out * bytes,
        );
      write(base + slot.rowNumbers, task.row, 8);
      for (const [n, position] of task.positions.entries())
        write(base + (slot.positions[n] as number), position, 4);
      results.forEach(({ block, values, width }, n) => {
        if (block === null)
          write(outs[n] as number, task.results[n] as number, values * width);
      });
    }
  }
  if (context.onBadRow === "skip") checkAsScanned(task, badRows);
  return badRows;
}

/** Rejects bad rows other than those that the scan found and the plan left out. */
function checkAsScanned(
  { rowStart, skipped }: RowChunkTask,
  badRows: number[],
): void {
  if (
    badRows.length !== skipped.length ||
    badRows.some((row, n) => row - rowStart !== skipped[n])
  )
    throw damaged(
      `rows from ${rowStart}`,
      "the bad rows are not those found before: the file changed while it was read",
    );
}

/** Rows [from, to) of a task, and the output row (from 0 in the chunk) of the first one. */
interface Run {
  from: number;
  to: number;
  out: number;
}

/** Returns the runs of rows [from, to) of the task between the skipped rows. */
function runsWritten(
  { skipped }: RowChunkTask,
  from: number,
  to: number,
): Run[] {
  if (skipped.length === 0) return [{ from, to, out: from }];
  const runs: Run[] = [];
  let start = from;
  let before = skipped.findIndex((row) => row >= from);
  if (before < 0) before = skipped.length;
  while (start < to) {
    const end = Math.min(skipped[before] ?? to, to);
    if (end > start) runs.push({ from: start, to: end, out: start - before });
    start = end + 1;
    before++;
  }
  return runs;
}

/** Returns the first address from `address` on with the same offset in its page as `position`. */
function alignLike(address: number, position: number): number {
  return address + padBefore(address, position);
}

/**
 * Computes `count` rows from row `first` of a load, which starts at row `done` of the task, and writes their blocks. Other
 * results are stored at the addresses `outs` of the load. Returns the bad rows.
 */
function* computeRows(
  slotRows: SlotRows,
  task: RowChunkTask,
  done: number,
  first: number,
  count: number,
  outs: readonly number[],
): Steps<number[]> {
  const { context, base } = slotRows;
  const { classes, tileRows, results, slot } = context;
  const row = done + first;
  /** Offset in the output of row i of the block of row `r` of the output. */
  const positionOf = (n: number, r: number, i: number): number => {
    const { block, values, width } = results[n] as ResultColumn;
    const skip = blockRowStart(block ?? "square", classes, i);
    return (task.results[n] as number) + (r * values + skip) * width;
  };
  // Blocks have the same offset in a page of the slot as in a page of the output.
  const outOfBlock = (n: number, i: number): number =>
    alignLike(base + (slot.results[n] as number), positionOf(n, row, i));
  const outOfRow = results.map(({ block, values, width }, n) =>
    block === null
      ? (outs[n] as number) + first * values * width
      : outOfBlock(n, 0),
  );
  /** Writes rows [i, end) of the blocks of `rows` rows: contiguous, or each into its slab of a dense tensor. */
  const writeBlocks = (n: number, rows: number, i: number, end: number) => {
    const { values, width, listSize } = results[n] as ResultColumn;
    for (const { from, to, out } of runsWritten(task, row, row + rows)) {
      const address = outOfBlock(n, i) + (from - row) * values * width;
      if (listSize === values) {
        const position = positionOf(n, out, i);
        const bytes = positionOf(n, out + to - from - 1, end) - position;
        writeSlot(context, address, bytes, position);
        continue;
      }
      // The slab of row q is [classes, all rows, classes], nonzero only at [i, q, j]. Unwritten bytes of the file are zeros.
      const allRows = listSize / values;
      for (let r = 0; r < to - from; r++)
        for (let k = i; k < end; k++) {
          const skip = (r * values + (k - i) * classes) * width;
          const q = task.rowStart + from + r;
          const at = (out + r) * listSize + (k * allRows + q) * classes;
          const position = (task.results[n] as number) + at * width;
          writeSlot(context, address + skip, classes * width, position);
        }
    }
  };
  if (tileRows < classes) {
    const tiles = slotRows.computeTiles(first, tileRows, outOfRow, outOfBlock);
    let tile = tiles.next();
    for (; !tile.done; tile = tiles.next()) {
      writeBlocks(tile.value.n, 1, tile.value.i, tile.value.end);
      yield;
    }
    return tile.value;
  }
  const bad = slotRows.compute(first, count, outOfRow);
  results.forEach(({ block }, n) => {
    if (block !== null) writeBlocks(n, count, 0, classes);
  });
  return bad;
}
