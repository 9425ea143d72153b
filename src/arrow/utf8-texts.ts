import { isUtf8 } from "node:buffer";
import type { Field } from "./field.js";

/** Returns whether the values of a column, or of its dictionary, are stored as UTF-8. */
export function storesUtf8({ type }: Field): boolean {
  return type.kind === "Utf8" || type.kind === "LargeUtf8";
}

/**
 * Checks consecutive texts, one chunk of bytes at a time: all bytes must be UTF-8, and no text may start inside a
 * character.
 */
export class Utf8Texts {
  /** First text whose start is not yet checked. */
  #next = 0;

  /** @param offset returns the start of text k, ascending; `offset(count)` is the end of the last text */
  constructor(
    private readonly count: number,
    private readonly offset: (k: number) => number,
  ) {}

  /**
   * Checks the next chunk, which starts at `at`. Returns the bytes of its whole characters, after which the next chunk must
   * start; null if the chunk is invalid.
   */
  check(bytes: Uint8Array, at: number): number | null {
    const end = this.offset(this.count);
    const last = at + bytes.byteLength >= end;
    const whole = last ? bytes.byteLength : wholeCharacters(bytes);
    if (!isUtf8(bytes.subarray(0, whole))) return null;
    for (; this.#next < this.count; this.#next++) {
      const start = this.offset(this.#next) - at;
      if (start >= whole) break;
      if (isContinuation(bytes[start] as number)) return null;
    }
    return whole;
  }

  /** Returns the first text that is not UTF-8 by itself. */
  firstBad(read: (at: number, bytes: number) => Uint8Array): number {
    let k = 0;
    while (
      k < this.count &&
      isUtf8(read(this.offset(k), this.offset(k + 1) - this.offset(k)))
    )
      k++;
    return k;
  }
}

/** Returns the number of bytes before a character that the end truncates. */
function wholeCharacters(bytes: Uint8Array): number {
  const end = bytes.byteLength;
  for (let back = 1; back <= Math.min(3, end - 1); back++) {
    const byte = bytes[end - back] as number;
    if (isContinuation(byte)) continue;
    const length = byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return length > back ? end - back : end;
  }
  return end;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
