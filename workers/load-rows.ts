import { readFully } from "../src/io/positional.js";
import type { Kernel } from "../src/numeric/kernel.js";
import type { SourcePiece, WorkerSetup } from "../src/pool/protocol.js";
import { TaskFailure, withSide } from "./task-failure.js";

/** Reads rows `[rowStart, rowEnd)` of the input into the slot at `base`, row-major; they may span record batches. */
export function loadRows(
  setup: WorkerSetup,
  kernel: Kernel,
  pieces: SourcePiece[],
  rowStart: number,
  rowEnd: number,
  base: number,
): void {
  const { classes, slot, form } = setup;
  const width = setup.sourceFloat32 ? 4 : 8;
  const total = rowEnd - rowStart;
  for (const piece of pieces) {
    const from = Math.max(rowStart, piece.rowStart);
    const to = Math.min(rowEnd, piece.rowEnd);
    if (from >= to) continue;
    const skip = from - piece.rowStart;
    const done = from - rowStart;
    if (form === "columns") {
      piece.values.forEach((start, k) => {
        const address = base + slot.staging + (k * total + done) * width;
        read(setup, address, (to - from) * width, start + skip * width);
      });
      continue;
    }
    const first = piece.values[0] as number;
    const bytes = (to - from) * classes * width;
    const start =
      form === "list"
        ? first + firstValue(setup, piece, from, to, base) * width
        : first + skip * classes * width;
    read(setup, base + slot.logits + done * classes * width, bytes, start);
  }
  if (form === "columns")
    kernel.interleave(
      base + slot.staging,
      total,
      classes,
      width,
      base + slot.logits,
    );
}

/**
 * Lists: checks the offsets of rows `[from, to)` (each row of `classes` values, all of them inside the batch's values)
 * and returns where the first row's values start, in values.
 */
function firstValue(
  setup: WorkerSetup,
  piece: SourcePiece,
  from: number,
  to: number,
  base: number,
): number {
  const { classes, slot, buffer } = setup;
  const rows = to - from;
  const address = base + slot.staging;
  read(
    setup,
    address,
    4 * (rows + 1),
    piece.offsets + 4 * (from - piece.rowStart),
  );
  const offsets = new Int32Array(buffer, address, rows + 1);
  const first = offsets[0] as number;
  for (let r = 0; r < rows; r++) {
    const found = (offsets[r + 1] as number) - (offsets[r] as number);
    if (found !== classes)
      throw new TaskFailure({ kind: "ragged-row", row: from + r, found });
  }
  const last = offsets[rows] as number;
  if (first < 0 || last > piece.valueCount)
    throw new TaskFailure({
      kind: "damaged",
      where: `rows ${from} to ${to - 1}`,
      text: `expected list offsets inside 0 to ${piece.valueCount}, found ${first} to ${last}`,
    });
  return first;
}

function read(
  setup: WorkerSetup,
  address: number,
  bytes: number,
  position: number,
): void {
  withSide("input", () =>
    readFully(
      setup.sourceFd,
      new Uint8Array(setup.buffer, address, bytes),
      position,
    ),
  );
}
