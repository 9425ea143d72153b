import { writeFully } from "../src/io/positional.js";
import { describeBadRow } from "../src/numeric/bad-row.js";
import type { Kernel } from "../src/numeric/kernel.js";
import type { RowChunkTask, WorkerSetup } from "../src/pool/protocol.js";
import { loadRows } from "./load-rows.js";
import { TaskFailure, withSide } from "./task-failure.js";

/**
 * One task: reads the chunk's rows into its slot, a load at a time, computes each load in strides, and writes every
 * piece to its final place. Returns the rows without a softmax.
 */
export function computeRowChunk(
  setup: WorkerSetup,
  kernel: Kernel,
  task: RowChunkTask,
): number[] {
  const { classes, slot } = setup;
  const base = task.slot * setup.slotBytes;
  const width = setup.outFloat32 ? 4 : 8;
  const write = (address: number, bytes: number, position: number) =>
    withSide("output", () =>
      writeFully(
        setup.outputFd,
        new Uint8Array(setup.buffer, base + address, bytes),
        position,
      ),
    );
  const badRows: number[] = [];

  for (
    let start = task.rowStart;
    start < task.rowEnd;
    start += setup.loadRows
  ) {
    const rows = Math.min(setup.loadRows, task.rowEnd - start);
    const done = start - task.rowStart;
    loadRows(setup, kernel, task.pieces, start, start + rows, base);
    computeBlocks(
      setup,
      kernel,
      base,
      start,
      rows,
      badRows,
      (at, bytes, row, i) =>
        write(
          at,
          bytes,
          task.jacobian +
            ((row - task.rowStart) * classes + i) * classes * width,
        ),
    );
    kernel.storeRowNumbers(start, rows, base + slot.rowNumbers);
    write(slot.rowNumbers, rows * 8, task.row + done * 8);
    write(
      slot.softmax,
      rows * classes * width,
      task.softmax + done * classes * width,
    );
  }
  return badRows;
}

/** Where blocks stand in the slot, how many bytes, and what they begin with: row `i` of the block of `row`. */
type WriteBlocks = (
  address: number,
  bytes: number,
  row: number,
  i: number,
) => void;

function computeBlocks(
  setup: WorkerSetup,
  kernel: Kernel,
  base: number,
  rowStart: number,
  rows: number,
  badRows: number[],
  write: WriteBlocks,
): void {
  const { classes, slot, strideRows } = setup;
  const sourceBytes = classes * (setup.sourceFloat32 ? 4 : 8);
  const softmaxBytes = classes * (setup.outFloat32 ? 4 : 8);
  for (let first = 0; first < rows; first += strideRows) {
    const count = Math.min(strideRows, rows - first);
    const source = base + slot.logits + first * sourceBytes;
    const softmax = base + slot.softmax + first * softmaxBytes;
    const bad: number[] = [];
    if (setup.tileRows < classes) {
      if (
        !storeTiles(
          setup,
          kernel,
          base,
          source,
          softmax,
          rowStart + first,
          write,
        )
      )
        bad.push(0);
    } else {
      const found = kernel.storeBlocks(
        source,
        setup.sourceFloat32,
        count,
        classes,
        base + slot.work,
        softmax,
        base + slot.jacobian,
        setup.outFloat32,
        base + slot.badRows,
      );
      for (const r of new Int32Array(setup.buffer, base + slot.badRows, found))
        bad.push(r);
      write(slot.jacobian, count * classes * softmaxBytes, rowStart + first, 0);
    }
    for (const r of bad) {
      const row = rowStart + first + r;
      if (setup.stopAtBadRow)
        throw new TaskFailure({
          kind: "bad-row",
          row,
          found: describeBadRow(logitsAt(setup, source + r * sourceBytes)),
        });
      badRows.push(row);
    }
  }
}

/** One row whose block is larger than the slot: tile after tile. Returns false for a bad row. */
function storeTiles(
  setup: WorkerSetup,
  kernel: Kernel,
  base: number,
  source: number,
  softmax: number,
  row: number,
  write: WriteBlocks,
): boolean {
  const { classes, slot, tileRows, outFloat32 } = setup;
  const work = base + slot.work;
  const good = kernel.loadRow(source, setup.sourceFloat32, classes, work);
  const storeSoftmax = outFloat32
    ? kernel.storeSoftmax32
    : kernel.storeSoftmax64;
  const storeTile = outFloat32 ? kernel.storeTile32 : kernel.storeTile64;
  storeSoftmax(work, classes, softmax);
  for (let i = 0; i < classes; i += tileRows) {
    const end = Math.min(i + tileRows, classes);
    storeTile(work, classes, i, end, base + slot.jacobian);
    const bytes = (end - i) * classes * (outFloat32 ? 4 : 8);
    write(slot.jacobian, bytes, row, i);
  }
  return good !== 0;
}

function logitsAt(
  { buffer, classes, sourceFloat32 }: WorkerSetup,
  address: number,
): Float64Array | Float32Array {
  return sourceFloat32
    ? new Float32Array(buffer, address, classes)
    : new Float64Array(buffer, address, classes);
}
