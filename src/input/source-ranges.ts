import {
  isSeparate,
  offsetWidth,
  type SourceRange,
  type ValueBuffers,
} from "../arrow/column-storage.js";
import { numberWidth } from "../arrow/field.js";
import type { AuxiliaryColumn, LogitsFile } from "./logits-file.js";
import type { LogitsBatch } from "./record-batch.js";

/** Rows of numbers in a batch: the logits, or another column. */
export type SourceRows = Omit<AuxiliaryColumn, "option" | "names" | "key">;

/** Returns the logits, then the other inputs. */
export function sourcesOf(file: LogitsFile): SourceRows[] {
  const { column: name, storage, type, classes: values, inputs } = file;
  return [{ name, storage, type, width: numberWidth(type), values }, ...inputs];
}

/** Returns, for each source, the ranges of the input's batches that hold rows `[rowStart, rowEnd)`. */
export function sourceRanges(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): SourceRange[][] {
  const batches = overlapping(file.batches, rowStart, rowEnd);
  return sourcesOf(file).map(({ storage, width, values }, n) => {
    const perOffset = offsetWidth(storage);
    const perRow =
      perOffset > 0 ? 0 : isSeparate(storage) ? width : values * width;
    return batches.map((batch) => {
      const start = Math.max(rowStart, batch.rowStart);
      const buffers = batch.sources[n] as ValueBuffers;
      const firstRow = start - batch.rowStart + buffers.firstRow;
      return {
        ...buffers,
        rowStart: start,
        rowEnd: Math.min(rowEnd, batch.rowEnd),
        firstRow,
        values: buffers.values.map((at) => at + firstRow * perRow),
        offsets: buffers.offsets + perOffset * firstRow,
      };
    });
  });
}

/** Returns the batches with rows in `[rowStart, rowEnd)`, by bisection because files may have very many. */
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
  const result: LogitsBatch[] = [];
  for (let k = low; k < batches.length; k++) {
    const batch = batches[k] as LogitsBatch;
    if (batch.rowStart >= rowEnd) break;
    if (batch.rowEnd > batch.rowStart) result.push(batch);
  }
  return result;
}
