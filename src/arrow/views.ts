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

/** A view points where there is nothing: what was expected of it, and what it says. */
export class ViewOutside extends Error {}

/** Bytes of the value at `at` of some views. @throws ViewOutside */
export function viewedBytes(
  views: DataView,
  at: number,
  data: readonly DataBuffer[],
): number {
  const length = views.getInt32(at, true);
  if (length < 0)
    throw new ViewOutside(
      `expected a view of 0 or more bytes, found ${length}`,
    );
  if (length > INLINE_BYTES) placeOf(views, at, length, data);
  return length;
}

/** Where a long value stands. @throws ViewOutside */
function placeOf(
  views: DataView,
  at: number,
  length: number,
  data: readonly DataBuffer[],
): number {
  const buffer = views.getInt32(at + 8, true);
  const offset = views.getInt32(at + 12, true);
  const found = data[buffer];
  if (!found)
    throw new ViewOutside(
      `expected a view of one of ${data.length} data buffers, found buffer ${buffer}`,
    );
  if (offset < 0 || offset + length > found.bytes)
    throw new ViewOutside(
      `expected a view within the ${found.bytes} bytes of data buffer ${buffer}, found ${length} bytes at byte ${offset}`,
    );
  return found.position + offset;
}

/** Reads the values that views show. */
export class ViewedValues {
  readonly #window: ReadWindow;

  constructor(
    read: Read,
    private readonly data: readonly DataBuffer[],
  ) {
    this.#window = new ReadWindow(read);
  }

  /** The value at `at` of some views, cut to `most` bytes, valid until the next call. @throws ViewOutside */
  value(views: DataView, at: number, most = 2 ** 31): Uint8Array {
    const length = viewedBytes(views, at, this.data);
    if (length <= INLINE_BYTES)
      return new Uint8Array(views.buffer, views.byteOffset + at + 4, length);
    const place = placeOf(views, at, length, this.data);
    const { position, bytes } = this.data[
      views.getInt32(at + 8, true)
    ] as DataBuffer;
    const end = position + bytes;
    return this.#window.bytes(place, Math.min(length, most), end);
  }
}
