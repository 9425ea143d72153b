import { expect, test } from "vitest";
import { EntriesBatch, GrowableBuffer } from "../../src/run/entries-batches.js";

const int32 = (bytes?: Uint8Array) => [
  ...new Int32Array(Uint8Array.from(bytes ?? []).buffer),
];
const doubles = (bytes?: Uint8Array) => [
  ...new Float64Array(Uint8Array.from(bytes ?? []).buffer),
];

test("a batch counts its rows from its own first row", () => {
  const batch = new EntriesBatch([
    { width: 4, list: false, listSize: 1, offset: 256 },
    { width: 8, list: true, listSize: null, offset: 512 },
  ]);
  for (const first of [0, 1000]) {
    batch.clear();
    // Row numbers from `first` at offset 0, one value per row at 256, and entries at 512.
    const buffer = new ArrayBuffer(1024);
    for (let n = 0; n < 8; n++) {
      new BigInt64Array(buffer, 0)[n] = BigInt(first + n);
      new Int32Array(buffer, 256)[n] = 10 * (first + n);
      new Float64Array(buffer, 512)[n] = first + n / 8;
    }
    const slot = { buffer, base: 0 };
    // The first and the last row are skipped and belong to no batch.
    batch.skip(first);
    batch.addExample(first + 1, 2, false);
    batch.addRows(slot, 0, 1, 2);
    batch.skip(first + 2);
    batch.addExample(first + 3, 0, true);
    batch.addExample(first + 4, 3, false);
    batch.addRows(slot, 0, 3, 5);
    batch.addEntries(slot, 1, 6);
    batch.skip(first + 5);
    const rows = { rows: 3, rowStart: first + 1, rowEnd: first + 5 };
    expect(batch).toMatchObject({
      ...rows,
      skipped: [first + 2],
      badRows: [1],
    });
    expect(int32(batch.offsets)).toEqual([0, 2, 2, 5]);
    const numbers = [1, 3, 4].map((n) => first + n);
    expect(new BigInt64Array(Uint8Array.from(batch.row).buffer)).toEqual(
      BigInt64Array.from(numbers, BigInt),
    );
    const [values, entries] = batch.columns;
    expect(values?.shape).toMatchObject({ items: 3, offsets: false });
    expect(int32(values?.values)).toEqual(numbers.map((n) => 10 * n));
    expect(entries?.shape).toMatchObject({ items: 5, offsets: true });
    expect(doubles(entries?.values)).toEqual(
      [1, 2, 3, 4, 5].map((n) => first + n / 8),
    );
  }
});

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
