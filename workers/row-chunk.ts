import { padBefore } from "../src/io/direct.js";
import type { Kernel } from "../src/numeric/kernel.js";
import {
  computeStride,
  computeTiles,
  type Stride,
} from "../src/numeric/stride.js";
import type {
  RowChunkTask,
  SourceSetup,
  WorkerSetup,
} from "../src/pool/protocol.js";
import type { ResultColumn } from "../src/results/columns.js";
import { refuseRow } from "./describe-row.js";
import { loadRows } from "./load-rows.js";
import { placeBlocks, placeOfBlocks, write } from "./place-blocks.js";
import { storeIndices } from "./store-indices.js";
import { TaskFailure } from "./task-failure.js";

/**
 * One task: reads the chunk's rows into its slot, a load at a time, computes each load in strides, and writes every
 * piece to its final place. Returns the rows without results.
 */
export function computeRowChunk(
  setup: WorkerSetup,
  kernel: Kernel,
  task: RowChunkTask,
): number[] {
  const { slot, results } = setup;
  const base = task.slot * setup.slotBytes;
  const badRows: number[] = [];
  kernel.prepare(base + slot.work);
  for (
    let start = task.rowStart;
    start < task.rowEnd;
    start += setup.loadRows
  ) {
    const rows = Math.min(setup.loadRows, task.rowEnd - start);
    const done = start - task.rowStart;
    loadRows(setup, kernel, task.pieces, start, start + rows, base);
    const outs = results.map(({ values, width }, n) => {
      const place = (task.results[n] as number) + done * values * width;
      return placeLike(base + (slot.results[n] as number), place);
    });
    for (let first = 0; first < rows; first += setup.strideRows)
      computeRows(
        setup,
        kernel,
        task,
        base,
        { start, first, rows: Math.min(setup.strideRows, rows - first), outs },
        badRows,
      );
    storeIndices(setup, kernel, start, rows, base);
    for (const run of runsWritten(task, done, done + rows)) {
      const writeRun = (region: number, place: number, bytes: number) =>
        write(
          setup,
          region + (run.from - done) * bytes,
          (run.to - run.from) * bytes,
          place + run.out * bytes,
        );
      writeRun(base + slot.rowNumbers, task.row, 8);
      for (const [n, place] of task.positions.entries())
        writeRun(base + (slot.positions[n] as number), place, 4);
      results.forEach(({ block, values, width }, n) => {
        if (block !== null) return;
        const out = outs[n] as number;
        writeRun(out, task.results[n] as number, values * width);
      });
    }
  }
  if (setup.skipBadRows) checkAsScanned(task, badRows);
  return badRows;
}

/** The rows that the plan leaves out are those without results, or the input is not what it was. */
function checkAsScanned(
  { rowStart, skipped }: RowChunkTask,
  badRows: number[],
): void {
  const other = badRows.findIndex((row, n) => row - rowStart !== skipped[n]);
  if (other >= 0 || badRows.length !== skipped.length)
    throw new TaskFailure({
      kind: "damaged",
      where: `rows from ${rowStart}`,
      text: "the bad rows are not those found before: the file changed while it was read",
    });
}

/** Of rows [from, to) of the task those that are written: runs between the ones left out, and where they go. */
function runsWritten(
  { skipped }: RowChunkTask,
  from: number,
  to: number,
): { from: number; to: number; out: number }[] {
  if (skipped.length === 0) return [{ from, to, out: from }];
  const runs: { from: number; to: number; out: number }[] = [];
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

/** A stride: `rows` rows from the `first` of a load that starts at row `start` of the file. */
interface Rows {
  start: number;
  first: number;
  rows: number;
  /** Where the load's results stand, but for blocks. */
  outs: number[];
}

/** `address`, or a little later: where something stands in its page as it does in the output's. */
function placeLike(address: number, position: number): number {
  return address + padBefore(address, position);
}

function computeRows(
  setup: WorkerSetup,
  kernel: Kernel,
  task: RowChunkTask,
  base: number,
  at: Rows,
  badRows: number[],
): void {
  const { classes, tileRows, results } = setup;
  const stride = strideOf(setup, kernel, base, at);
  const row = at.start + at.first - task.rowStart;
  // Blocks start where their own pages do.
  const outOf = (n: number, i: number): number => {
    const start = task.results[n] as number;
    const result = results[n] as ResultColumn;
    return placeLike(
      base + (setup.slot.results[n] as number),
      placeOfBlocks(result, classes, { start, row, i }),
    );
  };
  stride.results.forEach((result, n) => {
    if (result.block !== null) result.out = outOf(n, 0);
  });
  const writeBlocks = (n: number, rows: number, i: number, end: number) => {
    const out = outOf(n, i);
    const result = results[n] as ResultColumn;
    for (const run of runsWritten(task, row, row + rows))
      placeBlocks(
        setup,
        result,
        out + (run.from - row) * result.values * result.width,
        {
          start: task.results[n] as number,
          row: run.out,
          inputRow: task.rowStart + run.from,
          rows: run.to - run.from,
          i,
          end,
        },
      );
  };
  let bad: Iterable<number>;
  if (tileRows < classes) {
    const good = computeTiles(stride, tileRows, outOf, (n, i, end) =>
      writeBlocks(n, 1, i, end),
    );
    bad = good ? [] : [0];
  } else {
    bad = computeStride(stride);
    results.forEach(({ block }, n) => {
      if (block !== null) writeBlocks(n, at.rows, 0, classes);
    });
  }
  for (const r of bad) {
    const found = at.start + at.first + r;
    refuseRow(setup, base, at.first + r, found);
    badRows.push(found);
  }
}

/** What the kernel is to do with a stride: blocks stand at the start of their region, the others where the load has them. */
function strideOf(
  { slot, sources, ...setup }: WorkerSetup,
  kernel: Kernel,
  base: number,
  { first, rows, outs }: Rows,
): Stride {
  const logits = sources[0] as SourceSetup;
  const place = slot.sources[0]?.values ?? 0;
  const width = logits.type === "float32" ? 4 : 8;
  return {
    kernel,
    buffer: setup.buffer,
    source: base + place + first * logits.values * width,
    sourceFloat32: logits.type === "float32",
    rows,
    classes: setup.classes,
    temperature: setup.temperature,
    work: base + slot.work,
    program: base + slot.program,
    badRows: base + slot.badRows,
    results: setup.results.map((result, n) => {
      const { code, param, type, width, values, block, input } = result;
      const inputBytes = 8 * (sources[input + 1]?.values ?? 0);
      const inputs = slot.sources[input + 1]?.values ?? 0;
      return {
        code,
        param,
        type,
        width,
        values,
        block,
        // blocks: set by who writes them
        out:
          (outs[n] as number) + (block === null ? first * values * width : 0),
        input: input < 0 ? 0 : base + inputs + first * inputBytes,
        inputBytes: input < 0 ? 0 : inputBytes,
      };
    }),
  };
}
