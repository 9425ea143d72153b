import { expect, test } from "vitest";
import { GrowableBuffer } from "../../src/run/entries-batches.js";

test.each([
  [[65_532, 4]],
  [[65_536, 1]],
  [Array<number>(70).fill(65_548)],
  [[5, 7_000_000]],
  // Beyond the 64 MiB of a buffer that has grown once.
  [[65_537, 2 ** 26, 1]],
])(
  "a buffer grows with pieces of %j bytes, also after it is cleared",
  (sizes) => {
    const buffer = new GrowableBuffer();
    for (const seed of [1, 2]) {
      const pieces = sizes.map((size, n) =>
        Buffer.alloc(size, `${seed}, piece ${n}, `),
      );
      for (const piece of pieces) buffer.add(piece);
      expect(Buffer.concat(pieces).equals(buffer.view)).toBe(true);
      buffer.clear();
      expect([buffer.used, buffer.view.byteLength]).toEqual([0, 0]);
    }
  },
);
