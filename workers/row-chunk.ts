import { padBefore } from "../src/io/write-or-compare.js";
import type { Kernel } from "../src/kernels/kernel.js";
import { blockRowStart, type ResultColumn } from "../src/results/columns.js";
import type { RowChunkTask, WorkerContext } from "../src/tasks/run-tasks.js";
import { loadRows } from "./load-rows.js";
import { writeSlot } from "./slot-bytes.js";
import { rejectRow, SlotRows } from "./slot-rows.js";
import { damaged } from "./task-failure.js";

/**
 * Runs one task: reads the rows of the chunk into the slot, one load at a time, computes each load in row blocks, and
 * writes the results to their final offsets. Returns the bad rows.
 */
export function computeRowChunk(
  context: WorkerContext,
  kernel: Kernel,
  task: RowChunkTask,
): number[] {
  const { slot, results } = context;
  const base = task.slot * context.slotBytes;
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
      for (const row of computeRows(slotRows, task, done, first, count, outs))
        badRows.push(rejectRow(slotRows, row, start));
    }
    for (const run of runsWritten(task, done, done + rows)) {
      const writeRun = (region: number, position: number, bytes: number) =>
        writeSlot(
          context,
          region + (run.from - done) * bytes,
          (run.to - run.from) * bytes,
          position + run.out * bytes,
        );
      writeRun(base + slot.rowNumbers, task.row, 8);
      for (const [n, position] of task.positions.entries())
        writeRun(base + (slot.positions[n] as number), position, 4);
      results.forEach(({ block, values, width }, n) => {
        if (block !== null) return;
        const out = outs[n] as number;
        writeRun(out, task.results[n] as number, values * width);
      });
    }
  }
  if (context.skipBadRows) checkAsScanned(task, badRows);
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
function computeRows(
  slotRows: SlotRows,
  task: RowChunkTask,
  done: number,
  first: number,
  count: number,
  outs: readonly number[],
): number[] {
  const { context, base } = slotRows;
  const { classes, tileRows, results, slot } = context;
  const row = done + first;
  // Blocks have the same offset in a page of the slot as in a page of the output.
  const outOfBlock = (n: number, i: number): number =>
    alignLike(
      base + (slot.results[n] as number),
      (task.results[n] as number) +
        offsetOfBlock(results[n] as ResultColumn, classes, row, i),
    );
  const outOfRow = results.map(({ block, values, width }, n) =>
    block === null
      ? (outs[n] as number) + first * values * width
      : outOfBlock(n, 0),
  );
  const writeBlocks = (n: number, rows: number, i: number, end: number) => {
    const result = results[n] as ResultColumn;
    for (const run of runsWritten(task, row, row + rows)) {
      const skip = (run.from - row) * result.values * result.width;
      writeRun(context, task, n, outOfBlock(n, i) + skip, run, i, end);
    }
  };
  if (tileRows < classes)
    return slotRows.computeTiles(
      first,
      tileRows,
      outOfRow,
      outOfBlock,
      (n, i, end) => writeBlocks(n, 1, i, end),
    );
  const bad = slotRows.compute(first, count, outOfRow);
  results.forEach(({ block }, n) => {
    if (block !== null) writeBlocks(n, count, 0, classes);
  });
  return bad;
}

/** Returns the offset of row i of a block in the chunk's output. */
function offsetOfBlock(
  { block, width, values }: ResultColumn,
  classes: number,
  row: number,
  i: number,
): number {
  const skip = blockRowStart(block ?? "square", classes, i);
  return (row * values + skip) * width;
}

/** Writes rows [i, end) of the blocks of a run of rows from `address`: contiguous, or each into its slab of a dense tensor. */
function writeRun(
  context: WorkerContext,
  task: RowChunkTask,
  n: number,
  address: number,
  run: Run,
  i: number,
  end: number,
): void {
  const { classes } = context;
  const result = context.results[n] as ResultColumn;
  const start = task.results[n] as number;
  const { width, values, listSize } = result;
  const block = result.block ?? "square";
  const rows = run.to - run.from;
  if (listSize === values) {
    const count =
      (rows - 1) * values +
      blockRowStart(block, classes, end) -
      blockRowStart(block, classes, i);
    const position = start + offsetOfBlock(result, classes, run.out, i);
    writeSlot(context, address, count * width, position);
    return;
  }
  // The slab of row q is [classes, all rows, classes], nonzero only at [i, q, j]. Unwritten bytes of the file are zeros.
  const allRows = listSize / values;
  for (let r = 0; r < rows; r++)
    for (let k = i; k < end; k++) {
      const from = (r * values + (k - i) * classes) * width;
      const q = task.rowStart + run.from + r;
      const to = (run.out + r) * listSize + (k * allRows + q) * classes;
      writeSlot(context, address + from, classes * width, start + to * width);
    }
}
