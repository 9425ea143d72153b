import type { Field } from "../arrow/field.js";
import { ReadWindow } from "../arrow/read-window.js";
import { VIEW_BYTES, ViewedValues, ViewOutside } from "../arrow/views.js";
import { InputFormatError } from "../errors.js";
import type { ColumnSpan } from "./column-spans.js";
import type { InputFile } from "./input-file.js";
import { keptColumn } from "./kept-columns.js";
import { inputReader } from "./read-input.js";
import { placeKept } from "./record-batch.js";
import type { RecordBatch } from "./record-batches.js";

/** Longer values are cut, so that a text of gigabytes takes no memory. */
const MAX_BYTES = 1 << 16;

/** Whether the values of a column, or of its dictionary, are strings. */
export function isText({ type }: Field): boolean {
  return ["Utf8", "LargeUtf8", "Utf8View"].includes(type.kind);
}

/**
 * Returns a function that reads value k of a column of strings in a record batch. Values that are null have no text.
 * @throws InputFormatError, IoError; so does the function, for offsets and views that point outside their buffers
 */
export function textReader(
  file: Pick<InputFile, "path" | "fd" | "present">,
  { context, batch }: Pick<RecordBatch, "context" | "batch">,
  span: ColumnSpan,
): (k: number) => string {
  const { field } = span;
  const { rows } = batch;
  const column = keptColumn(file.path, field, 0);
  const placed = placeKept(context, batch, span, column, rows);
  const read = inputReader(file);
  const fail = (k: number, text: string): never => {
    const where = `${context.where}, column ${field.name}, value ${k}`;
    throw new InputFormatError(file.path, where, text);
  };
  if (column.form === "views") {
    const bytes = read(placed.values, VIEW_BYTES * rows);
    const views = new DataView(bytes.buffer);
    const viewed = new ViewedValues(read, placed.data ?? []);
    return (k) => {
      try {
        return decoded(viewed.value(views, VIEW_BYTES * k, MAX_BYTES));
      } catch (error) {
        if (!(error instanceof ViewOutside)) throw error;
        return fail(k, error.message);
      }
    };
  }
  const width = column.offsetBytes;
  const { buffer } = read(placed.offsets, rows === 0 ? 0 : width * (rows + 1));
  const view = new DataView(buffer);
  const offset = (k: number) =>
    width === 4
      ? view.getInt32(4 * k, true)
      : Number(view.getBigInt64(8 * k, true));
  const window = new ReadWindow(read);
  const { values, valuesBytes } = placed;
  return (k) => {
    const [start, end] = [offset(k), offset(k + 1)];
    if (!(start >= 0 && start <= end && end <= valuesBytes))
      fail(
        k,
        `expected offsets from 0 to ${valuesBytes}, found ${start} and ${end}`,
      );
    const bytes = Math.min(end - start, MAX_BYTES);
    return decoded(window.bytes(values + start, bytes, values + valuesBytes));
  };
}

function decoded({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString();
}
