import type { ArrowType } from "./field.js";
import { type Read, ReadWindow } from "./read-window.js";

// A view is 16 bytes (Columnar.rst, "Variable-size Binary View Layout"):
//
//   int32 length ≤ 12 | the value, padded with zeros
//   int32 length > 12 | its first 4 bytes | int32 data buffer | int32 offset in it

export const VIEW_BYTES = 16;
const INLINE_BYTES = 12;

/** Returns Utf8 or Binary for a type of views; null for other types. */
export function withoutViews({ kind }: ArrowType): ArrowType | null {
  if (kind === "Utf8View") return { kind: "Utf8" };
  return kind === "BinaryView" ? { kind: "Binary" } : null;
}

/** Position and size of a data buffer. */
export interface DataBuffer {
  position: number;
  bytes: number;
}

/** Throws the caller's error for an invalid view. */
type Fail = (text: string) => never;

/** Checks the view at byte `at`, and returns the length of its value. */
export function viewedBytes(
  views: DataView,
  at: number,
  data: readonly DataBuffer[],
  fail: Fail,
): number {
  const length = views.getInt32(at, true);
  if (length < 0) fail(`expected a view of 0 or more bytes, found ${length}`);
  if (length > INLINE_BYTES) positionOf(views, at, length, data, fail);
  // A length that was damaged would otherwise cut the value.
  for (let k = length; k < INLINE_BYTES; k++)
    if (views.getUint8(at + 4 + k) !== 0)
      fail(`expected zeros after the ${length} bytes of a view, found others`);
  return length;
}

/** Returns the position of a value that is not inline, and the end of its data buffer. */
function positionOf(
  views: DataView,
  at: number,
  length: number,
  data: readonly DataBuffer[],
  fail: Fail,
): [position: number, end: number] {
  const buffer = views.getInt32(at + 8, true);
  const offset = views.getInt32(at + 12, true);
  const dataBuffer =
    data[buffer] ??
    fail(
      `expected a view of one of ${data.length} data buffers, found buffer ${buffer}`,
    );
  if (offset < 0 || offset + length > dataBuffer.bytes)
    fail(
      `expected a view within the ${dataBuffer.bytes} bytes of data buffer ${buffer}, found ${length} bytes at byte ${offset}`,
    );
  const { position, bytes } = dataBuffer;
  return [position + offset, position + bytes];
}

/** Reads the values of views. */
export class ViewedValues {
  readonly #window: ReadWindow;

  constructor(
    read: Read,
    private readonly data: readonly DataBuffer[],
    private readonly fail: Fail,
  ) {
    this.#window = new ReadWindow(read);
  }

  /** Returns the value of the view at byte `at`, truncated to `maxBytes`; it is valid until the next call. */
  value(views: DataView, at: number, maxBytes = 2 ** 31): Uint8Array {
    const length = viewedBytes(views, at, this.data, this.fail);
    if (length <= INLINE_BYTES)
      return new Uint8Array(views.buffer, views.byteOffset + at + 4, length);
    const [position, end] = positionOf(views, at, length, this.data, this.fail);
    const value = this.#window.bytes(position, Math.min(length, maxBytes), end);
    for (let k = 0; k < Math.min(4, value.length); k++)
      if (value[k] !== views.getUint8(at + 4 + k))
        this.fail(
          "expected a view with the first 4 bytes of its value, found others",
        );
    return value;
  }
}
