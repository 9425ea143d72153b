import {
  isSeparate,
  offsetWidth,
  type SourcePiece,
} from "../src/arrow/source-form.js";
import { rowIndices } from "../src/input/row-indices.js";
import type { SourceSetup, WorkerSetup } from "../src/pool/protocol.js";
import type { SourcePlace } from "../src/slots/slot-layout.js";
import { listRuns } from "./list-runs.js";
import { markNulls } from "./mark-nulls.js";
import { readSource } from "./slot-bytes.js";
import type { SlotRows } from "./slot-rows.js";
import { withSide } from "./task-failure.js";
import { widen } from "./widen.js";

/** Rows `[from, to)` of a load that starts at row `start`, in one input batch. */
export interface RowsOfPiece {
  piece: SourcePiece;
  start: number;
  from: number;
  to: number;
  /** Lists: which of the batch's values the rows have. */
  runs: ValueRun[];
}

/** Consecutive rows whose values are consecutive, from value `first` of the batch on. */
export interface ValueRun {
  from: number;
  to: number;
  first: number;
}

/** Reads rows `[rowStart, rowEnd)` of every source into a slot, row-major, and stores their indices. They may span record batches. */
export function loadRows(
  { setup, kernel, base }: SlotRows,
  pieces: SourcePiece[][],
  rowStart: number,
  rowEnd: number,
): void {
  const rows = rowEnd - rowStart;
  setup.sources.forEach((source, n) => {
    const { staging, raw, values } = setup.slot.sources[n] as SourcePlace;
    const place = {
      staging: base + staging,
      raw: base + raw,
      values: base + values,
    };
    const parts = (pieces[n] as SourcePiece[]).flatMap((piece) => {
      const from = Math.max(rowStart, piece.rowStart);
      const to = Math.min(rowEnd, piece.rowEnd);
      return from < to ? [{ piece, start: rowStart, from, to, runs: [] }] : [];
    });
    const read = parts.map((part) =>
      loadPart(setup, source, part, rows, place),
    );
    if (isSeparate(source.form) && source.values > 1)
      kernel.interleave(
        place.staging,
        rows,
        source.values,
        source.width,
        place.raw,
      );
    if (place.values !== place.raw)
      widen(setup, kernel, source, rowStart, rows, place);
    for (const part of read) markNulls(setup, source, part, place.values);
  });
  const { axes, buffer, slot } = setup;
  const rowNumbers = base + slot.rowNumbers;
  if (axes.inner.length === 0) {
    kernel.storeRowNumbers(rowStart, rows, rowNumbers);
    return;
  }
  const [numbers = [], ...positions] = withSide("input", () =>
    rowIndices(axes, rowStart, rowEnd),
  );
  new BigInt64Array(buffer, rowNumbers, rows).set(Array.from(numbers, BigInt));
  for (const [n, column] of positions.entries())
    new Int32Array(buffer, base + (slot.positions[n] as number), rows).set(
      column,
    );
}

/** Reads what a piece has of the rows. */
function loadPart(
  setup: WorkerSetup,
  source: SourceSetup,
  part: RowsOfPiece,
  rows: number,
  { staging, raw }: SourcePlace,
): RowsOfPiece {
  const { form, width, values } = source;
  const { piece, start, from, to } = part;
  const skip = from - piece.rowStart;
  if (isSeparate(form)) {
    const target = values > 1 ? staging : raw;
    piece.values.forEach((position, k) => {
      const address = target + (k * rows + from - start) * width;
      const bytes = (to - from) * width;
      readSource(setup, address, bytes, position + skip * width);
    });
    return part;
  }
  const position = piece.values[0] as number;
  const readRows = (first: number, run: { from: number; to: number }) =>
    readSource(
      setup,
      raw + (run.from - start) * values * width,
      (run.to - run.from) * values * width,
      position + first * width,
      source.fd,
    );
  if (offsetWidth(form) === 0) {
    readRows(skip * values, part);
    return part;
  }
  const runs = listRuns(setup, source, part, staging);
  for (const run of runs) readRows(run.first, run);
  return { ...part, runs };
}
