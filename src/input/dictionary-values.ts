import type { KeptBuffers, KeptNode } from "../arrow/kept-nodes.js";
import { storesUtf8, Utf8Texts } from "../arrow/utf8-texts.js";
import { InputFormatError } from "../errors.js";
import type { ArrowContainer } from "./arrow-container.js";
import { inputReader } from "./read-input.js";

/** Offsets and values read at once. */
const READ_BYTES = 1 << 20;

/**
 * Checks that a dictionary's offsets rise and stay inside its values, and that texts are UTF-8: every row that points into
 * it depends on them.
 * @throws InputFormatError
 */
export function checkOffsets(
  file: ArrowContainer,
  where: string,
  { offsets, values, valuesBytes }: KeptBuffers,
  { field, offsetBytes }: KeptNode,
  count: number,
): void {
  if (offsetBytes === 0 || count === 0) return;
  const read = inputReader(file);
  let previous = 0;
  const step = READ_BYTES / offsetBytes;
  for (let from = 0; from < count; from += step) {
    const texts = Math.min(step, count - from);
    const bytes = read(offsets + from * offsetBytes, (texts + 1) * offsetBytes);
    const view = new DataView(bytes.buffer);
    const offset = (k: number) =>
      offsetBytes === 4
        ? view.getInt32(4 * k, true)
        : Number(view.getBigInt64(8 * k, true));
    for (let k = 0; k <= texts; k++) {
      if (offset(k) < previous || offset(k) > valuesBytes)
        throw new InputFormatError(
          file.path,
          where,
          `expected an offset from ${previous} to ${valuesBytes} for value ${from + k}, found ${offset(k)}`,
        );
      previous = offset(k);
    }
    if (!storesUtf8(field)) continue;
    const checked = new Utf8Texts(texts, offset);
    for (let at = offset(0); at < previous; ) {
      const part = read(values + at, Math.min(READ_BYTES, previous - at));
      const whole = checked.check(part, at);
      if (whole === null) {
        const bad = checked.firstBad((start, length) =>
          read(values + start, length),
        );
        throw notUtf8(file.path, where, from + bad);
      }
      at += whole;
    }
  }
}

function notUtf8(path: string, where: string, value: number): InputFormatError {
  return new InputFormatError(
    path,
    `${where}, value ${value}`,
    "the text is not valid UTF-8",
  );
}
