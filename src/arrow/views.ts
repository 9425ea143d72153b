import type { ArrowType } from "./field.js";
import { type Read, ReadWindow } from "./read-window.js";

// A view of a text is 16 bytes (Columnar.rst, "Variable-size Binary View Layout"):
//
//   int32 length | up to 12 bytes: the text itself, and zeros
//                | longer: its first 4 bytes | int32 data buffer | int32 offset there

export const VIEW_BYTES = 16;
const INLINE_BYTES = 12;

/** The type of the same values without views; null for a type that has none. */
export function withoutViews({ kind }: ArrowType): ArrowType | null {
  if (kind === "Utf8View") return { kind: "Utf8" };
  return kind === "BinaryView" ? { kind: "Binary" } : null;
}

/** Position and size of a data buffer. */
export interface DataBuffer {
  position: number;
  bytes: number;
}

/** Throws an error on a view that points where there is nothing. */
type Fail = (text: string) => never;

/** Bytes of the value at `at` of some views. */
export function viewedBytes(
  views: DataView,
  at: number,
  data: readonly DataBuffer[],
  fail: Fail,
): number {
  const length = views.getInt32(at, true);
  if (length < 0) fail(`expected a view of 0 or more bytes, found ${length}`);
  if (length > INLINE_BYTES) placeOf(views, at, length, data, fail);
  return length;
}

/** Returns the position of a long value, and the end of its data buffer. */
function placeOf(
  views: DataView,
  at: number,
  length: number,
  data: readonly DataBuffer[],
  fail: Fail,
): [position: number, end: number] {
  const buffer = views.getInt32(at + 8, true);
  const offset = views.getInt32(at + 12, true);
  const found =
    data[buffer] ??
    fail(
      `expected a view of one of ${data.length} data buffers, found buffer ${buffer}`,
    );
  if (offset < 0 || offset + length > found.bytes)
    fail(
      `expected a view within the ${found.bytes} bytes of data buffer ${buffer}, found ${length} bytes at byte ${offset}`,
    );
  return [found.position + offset, found.position + found.bytes];
}

/** Reads the values that views show. */
export class ViewedValues {
  readonly #window: ReadWindow;

  constructor(
    read: Read,
    private readonly data: readonly DataBuffer[],
    private readonly fail: Fail,
  ) {
    this.#window = new ReadWindow(read);
  }

  /** The value at `at` of some views, cut to `most` bytes, valid until the next call. */
  value(views: DataView, at: number, most = 2 ** 31): Uint8Array {
    const length = viewedBytes(views, at, this.data, this.fail);
    if (length <= INLINE_BYTES)
      return new Uint8Array(views.buffer, views.byteOffset + at + 4, length);
    const [place, end] = placeOf(views, at, length, this.data, this.fail);
    return this.#window.bytes(place, Math.min(length, most), end);
  }
}
