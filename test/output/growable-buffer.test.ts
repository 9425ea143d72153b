import { expect, test } from "vitest";
import { GrowableBuffer } from "../../src/run/entries-batches.js";

const MiB = 1 << 20;
/** Address space that is set aside at first: less than by default, so that tests outgrow it quickly. */
const RESERVED = 4 * MiB;

/** Bytes that differ from place to place, and from one `seed` to the next. */
function bytesOf(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let k = 0; k < words.length; k++)
    words[k] = Math.imul(k + seed, 2654435761);
  return new Uint8Array(words.buffer, 0, length);
}

/** Adds pieces one after the other, and makes sure of all that stands there in the end. */
function addAll(bytes: GrowableBuffer, pieces: Uint8Array[]): void {
  let used = bytes.used;
  for (const piece of pieces) {
    bytes.add(piece);
    used += piece.byteLength;
    expect(bytes.used).toBe(used);
    expect(bytes.view.byteLength).toBe(used);
  }
  const expected = Buffer.concat(pieces);
  const start = used - expected.byteLength;
  expect(Buffer.compare(bytes.view.subarray(start), expected)).toBe(0);
}

test.each([
  ["up to all of it", [RESERVED - 4, 4]],
  ["by one byte", [RESERVED, 1]],
  ["in small steps", Array<number>(70).fill(MiB / 16 + 12)],
  ["by one piece that is larger than all so far", [8, 7 * MiB]],
  ["from a length that ends within a word", [5, 7 * MiB]],
  ["twice", [RESERVED - MiB, 2 * MiB, 9 * MiB]],
])("growth beyond the first reserve: %s", (_, sizes) => {
  const bytes = new GrowableBuffer();
  addAll(
    bytes,
    sizes.map((size, n) => bytesOf(size, 7 * n)),
  );
});

test("it starts anew with what it was given last, however large it was", () => {
  const bytes = new GrowableBuffer();
  bytes.add(bytesOf(RESERVED + MiB, 1));
  bytes.clear();
  expect([bytes.used, bytes.view.byteLength]).toEqual([0, 0]);
  addAll(bytes, [bytesOf(1000, 2), bytesOf(2 * RESERVED + 3 * MiB, 3)]);
});

test("by default 64 MiB are set aside, and taken as they are needed", () => {
  const bytes = new GrowableBuffer();
  addAll(bytes, [bytesOf(64 * MiB, 1), bytesOf(1, 2)]);
});
