import { writePages } from "../src/io/direct.js";
import type { WorkerSetup } from "../src/pool/protocol.js";
import { blockRowStart, type ResultColumn } from "../src/results/columns.js";
import { withSide } from "./task-failure.js";

/** Rows [i, end) of the blocks of `rows` rows; the chunk that they belong to is written at `start`. */
export interface BlockRows {
  start: number;
  /** The first one's row in the output's chunk, and in the input. */
  row: number;
  inputRow: number;
  rows: number;
  i: number;
  end: number;
}

/** Where row i of the first of some blocks goes, those that stand in the output as they are. */
export function placeOfBlocks(
  { block, width, values }: ResultColumn,
  classes: number,
  { start, row, i }: Pick<BlockRows, "start" | "row" | "i">,
): number {
  const skip = blockRowStart(block ?? "square", classes, i);
  return start + (row * values + skip) * width;
}

/** Writes blocks that stand at `out`: as they are, or each in its slab of the tensor. */
export function placeBlocks(
  setup: WorkerSetup,
  result: ResultColumn,
  out: number,
  { start, row, inputRow, rows, i, end }: BlockRows,
): void {
  const { classes } = setup;
  const { width, values, listSize } = result;
  const block = result.block ?? "square";
  if (listSize === values) {
    const skip = blockRowStart(block, classes, i);
    const bytes =
      (rows - 1) * values + blockRowStart(block, classes, end) - skip;
    const place = placeOfBlocks(result, classes, { start, row, i });
    write(setup, out, bytes * width, place);
    return;
  }
  // The slab of row q is [classes, all rows, classes], zero but for [i, q, j]: the file has zeros where nothing is written.
  const allRows = listSize / values;
  for (let r = 0; r < rows; r++)
    for (let k = i; k < end; k++) {
      const from = (r * values + (k - i) * classes) * width;
      const q = inputRow + r;
      const to = (row + r) * listSize + (k * allRows + q) * classes;
      write(setup, out + from, classes * width, start + to * width);
    }
}

/** Writes bytes of the slot to the output. */
export function write(
  setup: WorkerSetup,
  address: number,
  bytes: number,
  position: number,
): void {
  const { buffer, output } = setup;
  withSide("output", () =>
    writePages(output, buffer, address, bytes, position),
  );
}
