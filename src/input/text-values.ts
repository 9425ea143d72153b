import type { Field } from "../arrow/field.js";
import { DamagedColumn } from "../arrow/kept-nodes.js";
import { NodeReader } from "../arrow/node-reader.js";
import { ReadWindow, viewOf } from "../arrow/read-window.js";
import { VIEW_BYTES, ViewedValues, ViewOutside } from "../arrow/views.js";
import { InputFormatError } from "../errors.js";
import type { ColumnSpan } from "./column-spans.js";
import type { InputFile } from "./input-file.js";
import { keptColumn } from "./kept-columns.js";
import { inputReader } from "./read-input.js";
import { placeColumn } from "./record-batch.js";
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
  const placed = placeColumn(context, batch, span);
  const read = inputReader(file);
  const { values, valuesBytes, data } = placed;
  const views =
    column.form === "views" ? viewOf(read(values, VIEW_BYTES * rows)) : null;
  const viewed = new ViewedValues(read, data ?? []);
  const offsets = new NodeReader(column, read);
  const window = new ReadWindow(read);
  const bytesOf = (k: number) => {
    if (views) return viewed.value(views, VIEW_BYTES * k, MAX_BYTES);
    const piece = { buffers: placed, from: k, to: k + 1, repeat: 1, row: null };
    const [start, end] = offsets.ends(piece, placed);
    const bytes = Math.min(end - start, MAX_BYTES);
    return window.bytes(values + start, bytes, values + valuesBytes);
  };
  return (k) => {
    try {
      const { buffer, byteOffset, byteLength } = bytesOf(k);
      return Buffer.from(buffer, byteOffset, byteLength).toString();
    } catch (error) {
      if (!(error instanceof ViewOutside || error instanceof DamagedColumn))
        throw error;
      const where = `${context.where}, column ${field.name}, value ${k}`;
      throw new InputFormatError(file.path, where, error.message);
    }
  };
}
