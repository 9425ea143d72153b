import { isUtf8 } from "node:buffer";
import type { KeptBuffers } from "../arrow/kept-nodes.js";
import { VIEW_BYTES, ViewedValues, ViewOutside } from "../arrow/views.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import type { ArrowContainer } from "./arrow-container.js";
import type { DictionaryBlock } from "./dictionaries.js";
import { notUtf8 } from "./dictionary-values.js";
import { readInput } from "./read-input.js";

/** Offsets of utf8 and binary are int32. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * The values of a dictionary whose values are views, as utf8 or binary: in memory, which is no more than the file has of
 * them.
 * @throws InputFormatError, InputUnsupportedError
 */
export function dictionaryWithoutViews(
  file: ArrowContainer,
  where: string,
  { nullCount, validity, values, valuesBytes, data }: KeptBuffers,
  rows: number,
  utf8: boolean,
): Pick<DictionaryBlock, "batch" | "bodyBytes" | "body"> {
  const { path } = file;
  const read = (position: number, bytes: number) => {
    const found = new Uint8Array(bytes);
    readInput(file, found, position);
    return found;
  };
  const valid = nullCount > 0 ? read(validity, Math.ceil(rows / 8)) : null;
  const bytes = read(values, VIEW_BYTES * rows);
  const views = new DataView(bytes.buffer);
  const offsets = new Int32Array(rows === 0 ? 0 : rows + 1);
  const texts = new Uint8Array(Math.min(valuesBytes, MOST_BYTES));
  const viewed = new ViewedValues(read, data ?? []);
  let end = 0;
  for (let row = 0; row < rows; row++) {
    if (!valid || ((valid[row >> 3] as number) >> (row & 7)) & 1) {
      const text = textOf(row);
      if (utf8 && !isUtf8(text)) throw notUtf8(path, where, row);
      if (end + text.byteLength > texts.byteLength)
        throw new InputUnsupportedError(
          path,
          where,
          `the values overlap in their data buffers and take more than ${texts.byteLength} bytes one by one; this is not supported`,
        );
      texts.set(text, end);
      end += text.byteLength;
    }
    offsets[row + 1] = end;
  }
  return bodyOf({ rows, nodes: [{ length: rows, nullCount }] }, [
    valid ?? new Uint8Array(0),
    new Uint8Array(offsets.buffer),
    texts.subarray(0, end),
  ]);

  function textOf(row: number): Uint8Array {
    try {
      return viewed.value(views, VIEW_BYTES * row);
    } catch (error) {
      if (!(error instanceof ViewOutside)) throw error;
      throw new InputFormatError(path, `${where}, value ${row}`, error.message);
    }
  }
}

/** A body of these buffers, each on 64 bytes, as the format recommends. */
function bodyOf(
  batch: Omit<DictionaryBlock["batch"], "buffers">,
  parts: readonly Uint8Array[],
): Pick<DictionaryBlock, "batch" | "bodyBytes" | "body"> {
  let bodyBytes = 0;
  const buffers = parts.map(({ byteLength: length }) => {
    const offset = bodyBytes;
    bodyBytes = Math.ceil((offset + length) / 64) * 64;
    return { offset, length };
  });
  const body = new Uint8Array(bodyBytes);
  for (const [k, part] of parts.entries())
    body.set(part, (buffers[k] as (typeof buffers)[number]).offset);
  return { batch: { ...batch, buffers }, bodyBytes, body };
}
