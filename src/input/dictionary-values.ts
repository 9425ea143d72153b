import { InputFormatError } from "../errors.js";
import type { ArrowContainer } from "./arrow-container.js";
import type { KeptColumn } from "./kept-columns.js";
import { readInput } from "./read-input.js";
import type { KeptBuffers } from "./record-batch.js";

/** Offsets read at once. */
const READ_BYTES = 1 << 20;

/**
 * Checks that a dictionary's offsets rise and stay inside its values: every row that points into it depends on them.
 * @throws InputFormatError
 */
export function checkOffsets(
  file: ArrowContainer,
  where: string,
  { offsets, valuesBytes }: KeptBuffers,
  { offsetBytes }: KeptColumn,
  count: number,
): void {
  if (offsetBytes === 0 || count === 0) return;
  let previous = 0;
  const step = READ_BYTES / offsetBytes;
  for (let from = 0; from <= count; from += step) {
    const bytes = new Uint8Array(
      Math.min(step, count + 1 - from) * offsetBytes,
    );
    readInput(file, bytes, offsets + from * offsetBytes);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < bytes.byteLength; at += offsetBytes) {
      const offset =
        offsetBytes === 4
          ? view.getInt32(at, true)
          : Number(view.getBigInt64(at, true));
      if (offset < previous || offset > valuesBytes)
        throw new InputFormatError(
          file.path,
          where,
          `expected an offset from ${previous} to ${valuesBytes} for value ${from + at / offsetBytes}, found ${offset}`,
        );
      previous = offset;
    }
  }
}
