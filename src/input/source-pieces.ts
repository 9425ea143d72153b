import type { LogitsFile } from "./logits-file.js";
import type { LogitsBatch } from "./record-batch.js";

/** Rows of one input batch, as bytes of the input; see SourcePiece in pool/protocol.ts. */
interface RowsOfBatch {
  rowStart: number;
  rowEnd: number;
  values: number[];
  offsets: number;
  valueCount: number;
}

/** The parts of the input's batches that hold rows `[rowStart, rowEnd)`. */
export function sourcePieces(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): RowsOfBatch[] {
  const width = file.dtype === "float32" ? 4 : 8;
  return overlapping(file.batches, rowStart, rowEnd).map((batch) => {
    const start = Math.max(rowStart, batch.rowStart);
    const skip = start - batch.rowStart;
    const perRow =
      file.form === "fixed-size-list"
        ? file.classes * width
        : file.form === "columns"
          ? width
          : 0;
    return {
      rowStart: start,
      rowEnd: Math.min(rowEnd, batch.rowEnd),
      values: batch.values.map((at) => at + skip * perRow),
      offsets: batch.offsets + 4 * skip,
      valueCount: batch.valueCount,
    };
  });
}

/** Batches with rows in `[rowStart, rowEnd)`; found by bisection, since files may have very many. */
export function overlapping(
  batches: LogitsBatch[],
  rowStart: number,
  rowEnd: number,
): LogitsBatch[] {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((batches[middle] as LogitsBatch).rowEnd <= rowStart) low = middle + 1;
    else high = middle;
  }
  const found: LogitsBatch[] = [];
  for (let k = low; k < batches.length; k++) {
    const batch = batches[k] as LogitsBatch;
    if (batch.rowStart >= rowEnd) break;
    if (batch.rowEnd > batch.rowStart) found.push(batch);
  }
  return found;
}
