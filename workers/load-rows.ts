import { readFully } from "../src/io/positional.js";
import type { Kernel } from "../src/numeric/kernel.js";
import type {
  SourcePiece,
  SourceSetup,
  WorkerSetup,
} from "../src/pool/protocol.js";
import type { SourcePlace } from "../src/slots/slot-layout.js";
import { TaskFailure, withSide } from "./task-failure.js";

/** Reads rows `[rowStart, rowEnd)` of every source into the slot at `base`, row-major; they may span record batches. */
export function loadRows(
  setup: WorkerSetup,
  kernel: Kernel,
  pieces: SourcePiece[][],
  rowStart: number,
  rowEnd: number,
  base: number,
): void {
  setup.sources.forEach((source, n) => {
    const { staging, raw, values } = setup.slot.sources[n] as SourcePlace;
    const place = {
      staging: base + staging,
      raw: base + raw,
      values: base + values,
    };
    for (const piece of pieces[n] as SourcePiece[])
      loadPiece(setup, source, piece, rowStart, rowEnd, place);
    if (source.form === "columns" && source.values > 1)
      kernel.interleave(
        place.staging,
        rowEnd - rowStart,
        source.values,
        source.width,
        place.raw,
      );
    if (place.values !== place.raw)
      widen(setup, kernel, source, (rowEnd - rowStart) * source.values, place);
  });
}

/** Reads what a piece has of the rows. */
function loadPiece(
  setup: WorkerSetup,
  { name, form, width, values }: SourceSetup,
  piece: SourcePiece,
  rowStart: number,
  rowEnd: number,
  { staging, raw }: SourcePlace,
): void {
  const from = Math.max(rowStart, piece.rowStart);
  const to = Math.min(rowEnd, piece.rowEnd);
  if (from >= to) return;
  const skip = from - piece.rowStart;
  const done = from - rowStart;
  if (form === "columns") {
    const target = values > 1 ? staging : raw;
    piece.values.forEach((start, k) => {
      const address = target + (k * (rowEnd - rowStart) + done) * width;
      read(setup, address, (to - from) * width, start + skip * width);
    });
    return;
  }
  const first = piece.values[0] as number;
  const start =
    form === "list"
      ? first +
        firstValue(setup, name, values, piece, from, to, staging) * width
      : first + skip * values * width;
  const bytes = (to - from) * values * width;
  read(setup, raw + done * values * width, bytes, start);
}

type Numbers<T> = new (
  buffer: ArrayBufferLike,
  at: number,
  length: number,
) => ArrayLike<T>;

const ARRAYS: Record<
  Exclude<SourceSetup["type"], "float32" | "int64" | "uint64">,
  Numbers<number>
> = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float64: Float64Array,
};

/** Makes the `count` numbers at `raw` float64. Whole numbers beyond 2^53 lose digits: no class has such a number. */
function widen(
  { buffer }: WorkerSetup,
  kernel: Kernel,
  { type }: SourceSetup,
  count: number,
  { raw, values }: SourcePlace,
): void {
  if (type === "float32") {
    kernel.widen(raw, count, values);
    return;
  }
  const out = new Float64Array(buffer, values, count);
  if (type === "int64" || type === "uint64") {
    const Whole: Numbers<bigint> =
      type === "int64" ? BigInt64Array : BigUint64Array;
    const numbers = new Whole(buffer, raw, count);
    for (let k = 0; k < count; k++) out[k] = Number(numbers[k]);
  } else out.set(new ARRAYS[type](buffer, raw, count));
}

/**
 * Lists: checks the offsets of rows `[from, to)` (each row of `values` values, all of them inside the batch's values)
 * and returns where the first row's values start, in values.
 */
function firstValue(
  setup: WorkerSetup,
  column: string,
  values: number,
  piece: SourcePiece,
  from: number,
  to: number,
  staging: number,
): number {
  const rows = to - from;
  read(
    setup,
    staging,
    4 * (rows + 1),
    piece.offsets + 4 * (from - piece.rowStart),
  );
  const offsets = new Int32Array(setup.buffer, staging, rows + 1);
  const first = offsets[0] as number;
  for (let r = 0; r < rows; r++) {
    const found = (offsets[r + 1] as number) - (offsets[r] as number);
    if (found !== values)
      throw new TaskFailure({
        kind: "ragged-row",
        row: from + r,
        column,
        expected: values,
        found,
      });
  }
  const last = offsets[rows] as number;
  if (first < 0 || last > piece.valueCount)
    throw new TaskFailure({
      kind: "damaged",
      where: `column ${column}, rows ${from} to ${to - 1}`,
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
