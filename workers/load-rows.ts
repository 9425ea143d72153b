import {
  isSeparate,
  offsetWidth,
  type SourceRange,
} from "../src/arrow/column-storage.js";
import { integerAt } from "../src/arrow/read-window.js";
import { numbersAt, widenNumbers } from "../src/arrow/stored-numbers.js";
import { NULL_BITS_32, NULL_BITS_64 } from "../src/kernels/bad-row.js";
import type { Kernel } from "../src/kernels/kernel.js";
import { type LinearModel, ModelRows } from "../src/kernels/linear-model.js";
import { rowIndices } from "../src/results/row-axes.js";
import type { WorkerContext } from "../src/tasks/run-tasks.js";
import type { SourceOffsets, SourceSetup } from "../src/tasks/slot-layout.js";
import {
  damaged,
  readBits,
  readSource,
  TaskFailure,
  withSide,
} from "./slot-bytes.js";
import type { SlotRows } from "./slot-rows.js";

/** Rows `[from, to)` of a load, which are in one input batch; the load starts at row `start`. */
interface RowsOfPiece {
  piece: SourceRange;
  start: number;
  from: number;
  to: number;
}

/** Rows `[from, to)` whose values are contiguous, from value `first` of the batch on. */
interface ValueRun {
  from: number;
  to: number;
  first: number;
}

/** The last model, which all loads of a run have. */
let modelRows: { of: LinearModel; rows: ModelRows } | null = null;

/** Reads rows `[rowStart, rowEnd)` of every source, which may span record batches, into a slot, and stores their indices. */
export function loadRows(
  slotRows: SlotRows,
  pieces: SourceRange[][],
  rowStart: number,
  rowEnd: number,
): void {
  const { context, kernel, base } = slotRows;
  const rows = rowEnd - rowStart;
  context.sources.forEach((source, n) => {
    const { staging, raw, values } = context.slot.sources[n] as SourceOffsets;
    const addresses = {
      staging: base + staging,
      raw: base + raw,
      values: base + values,
    };
    const parts = (pieces[n] as SourceRange[]).flatMap((piece) => {
      const from = Math.max(rowStart, piece.rowStart);
      const to = Math.min(rowEnd, piece.rowEnd);
      return from < to ? [{ piece, start: rowStart, from, to }] : [];
    });
    const runs = parts.map((part) =>
      loadPart(context, source, part, rows, addresses),
    );
    if (isSeparate(source.storage) && source.values > 1)
      kernel.interleave(
        addresses.staging,
        rows,
        source.values,
        source.width,
        addresses.raw,
      );
    if (addresses.values !== addresses.raw)
      widen(context, kernel, source, rowStart, rows, addresses);
    for (const [k, part] of parts.entries())
      markNulls(context, source, part, runs[k] ?? [], addresses.values);
  });
  if (context.model) {
    const numbers = (n: number) => slotRows.numbers(n, rows) as Float64Array;
    const covariances =
      context.model.covariance && numbers(context.sources.length - 1);
    if (modelRows?.of !== context.model)
      modelRows = { of: context.model, rows: new ModelRows(context.model) };
    modelRows.rows.store(numbers(1), numbers(0), covariances ?? undefined);
  }
  const { axes, buffer, slot } = context;
  const rowNumbers = base + slot.rowNumbers;
  if (axes.inner.length === 0) {
    kernel.storeRowNumbers(rowStart, rows, rowNumbers);
    return;
  }
  const [numbers = [], ...positions] = withSide("input", () =>
    rowIndices(axes, rowStart, rowEnd),
  );
  new BigInt64Array(buffer, rowNumbers, rows).set(Array.from(numbers, BigInt));
  // Sums have no regions for positions.
  for (const [n, offset] of slot.positions.entries())
    new Int32Array(buffer, base + offset, rows).set(
      positions[n] as (typeof positions)[number],
    );
}

/** Reads the rows of a piece; returns their values in the batch as runs. */
function loadPart(
  context: WorkerContext,
  source: SourceSetup,
  part: RowsOfPiece,
  rows: number,
  { staging, raw }: SourceOffsets,
): ValueRun[] {
  const { storage, width, values, fd } = source;
  const { piece, start, from, to } = part;
  const isList = offsetWidth(storage) > 0;
  const perBuffer = isSeparate(storage) ? 1 : values;
  const first = (piece.firstRow + from - piece.rowStart) * perBuffer;
  const runs = isList
    ? listRuns(context, source, part, staging)
    : [{ from, to, first }];
  const target = isSeparate(storage) && values > 1 ? staging : raw;
  const rowBytes = perBuffer * width;
  for (const [k, position] of piece.values.entries()) {
    const batchStart = isList ? position : position - piece.firstRow * rowBytes;
    for (const { from, to, first } of runs)
      readSource(
        context,
        target + (k * rows + from - start) * rowBytes,
        (to - from) * rowBytes,
        batchStart + first * width,
        fd,
      );
  }
  return runs;
}

/**
 * Reads the list offsets of the rows of a piece; returns the runs of their values. Rejects a row whose number of values is
 * not that of the source, or whose values are outside of the batch. Null lists may have any length and are in no run.
 */
function listRuns(
  context: WorkerContext,
  { name, storage, values }: SourceSetup,
  { piece, from, to }: RowsOfPiece,
  staging: number,
): ValueRun[] {
  const { valueCount, validity, firstRow, rowStart } = piece;
  const rows = to - from;
  const width = offsetWidth(storage);
  const bytes = (rows + 1) * width;
  readSource(
    context,
    staging,
    bytes,
    piece.offsets + (from - rowStart) * width,
  );
  const view = new DataView(context.buffer, staging, bytes);
  const offset = (r: number) => integerAt(view, r * width, width);
  const valid = readBits(context, validity, firstRow + from - rowStart, rows);
  const runs: ValueRun[] = [];
  for (let r = 0; r < rows; r++) {
    const row = from + r;
    const [first, last] = [offset(r), offset(r + 1)];
    const length = last - first;
    const isNull = valid && !valid(r);
    if (!isNull && length !== values)
      throw new TaskFailure({
        kind: "ragged-row",
        row,
        column: name,
        expected: values,
        found: length,
      });
    if (!(first >= 0 && length >= 0 && last <= valueCount))
      throw damaged(
        `column ${name}, row ${row}`,
        `expected a list within values 0 to ${valueCount}, found ${first} to ${last}`,
      );
    if (isNull) continue;
    const run = runs.at(-1);
    if (run?.to === row && run.first + (row - run.from) * values === first)
      run.to++;
    else runs.push({ from: row, to: row + 1, first });
  }
  return runs;
}

/**
 * Converts the numbers of `rows` rows at `raw` to float64. Rejects logits and vectors that float64 cannot represent exactly;
 * other sources may lose digits beyond 2^53, because no class has such a number.
 */
function widen(
  { buffer }: WorkerContext,
  kernel: Kernel,
  { name, type, values: perRow, holds }: SourceSetup,
  rowStart: number,
  rows: number,
  { raw, values }: SourceOffsets,
): void {
  const count = rows * perRow;
  if (type === "float32") {
    kernel.widen(raw, count, values);
    return;
  }
  if (type === "float64") return;
  const out = new Float64Array(buffer, values, count);
  widenNumbers(buffer, raw, type, out);
  const isExact = holds === "logits" || holds === "numbers";
  if (!isExact || (type !== "int64" && type !== "uint64")) return;
  const numbers = numbersAt(buffer, raw, type, count);
  for (let k = 0; k < count; k++)
    if (BigInt(out[k] as number) !== numbers[k]) {
      const row = rowStart + Math.floor(k / perRow);
      throw new TaskFailure({
        kind: "unsupported",
        where: `column ${name}, row ${row}, class ${k % perRow}`,
        text: `expected a whole number that float64 holds exactly, found ${numbers[k]}`,
      });
    }
}

/**
 * Replaces nulls, and all values of null rows, by the NaN that marks nulls (NULL_BITS_*), which makes the row bad. With
 * `maskNulls`, a null logit in a row that is not null becomes -inf.
 */
function markNulls(
  context: WorkerContext,
  source: SourceSetup,
  { piece, start, from, to }: RowsOfPiece,
  runs: readonly ValueRun[],
  values: number,
): void {
  const { storage, holds, values: perRow } = source;
  const firstRow = piece.firstRow + from - piece.rowStart;
  const putValue = nullWriter(context, source, values);
  const put = (row: number, k: number, value: "null" | "masked") =>
    putValue((row - start) * perRow + k, value);
  const validRow = readBits(context, piece.validity, firstRow, to - from);
  const isNullRow = (row: number) => validRow && !validRow(row - from);
  const setNull = (row: number, k: number) => {
    if (isNullRow(row)) return;
    put(row, k, holds === "logits" && context.maskNulls ? "masked" : "null");
  };
  const perBuffer = isSeparate(storage) ? 1 : perRow;
  for (const [k, bitmap] of piece.valueValidity.entries())
    for (const run of runs) {
      const count = (run.to - run.from) * perBuffer;
      const valid = readBits(context, bitmap, run.first, count);
      for (let n = 0; valid && n < count; n++)
        if (!valid(n))
          setNull(run.from + Math.floor(n / perBuffer), k + (n % perBuffer));
    }
  if (validRow)
    for (let row = from; row < to; row++)
      if (isNullRow(row)) for (let k = 0; k < perRow; k++) put(row, k, "null");
}

/** Returns a function that writes the NaN for null, or -inf, in the type that the kernel reads. */
function nullWriter(
  { buffer }: WorkerContext,
  { type, holds }: SourceSetup,
  address: number,
): (k: number, value: "null" | "masked") => void {
  if (type === "float32" && holds === "logits") {
    const bits = new Int32Array(buffer);
    return (k, value) => {
      bits[address / 4 + k] = value === "null" ? NULL_BITS_32 : -0x800000;
    };
  }
  const bits = new BigInt64Array(buffer);
  return (k, value) => {
    bits[address / 8 + k] =
      value === "null" ? NULL_BITS_64 : BigInt.asIntN(64, 0xfff0000000000000n);
  };
}
