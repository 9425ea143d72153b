import { expect, test } from "vitest";
import { EntriesBatch } from "../../src/run/entries-batches.js";

type Column = EntriesBatch["columns"][number];

/** Returns a slot with row numbers from `first` at offset 0, one value per row at 256, and entries at 512. */
function slotOf(first: number): { buffer: ArrayBuffer; base: number } {
  const buffer = new ArrayBuffer(1024);
  for (let n = 0; n < 8; n++) {
    new BigInt64Array(buffer, 0)[n] = BigInt(first + n);
    new Int32Array(buffer, 256)[n] = 10 * (first + n);
    new Float64Array(buffer, 512)[n] = first + n / 8;
  }
  return { buffer, base: 0 };
}

const int32 = (bytes: Uint8Array) => [...new Int32Array(bytes.slice().buffer)];

test("a batch counts its rows from its own first row", () => {
  const batch = new EntriesBatch([
    { width: 4, list: false, listSize: 1, offset: 256 },
    { width: 8, list: true, listSize: null, offset: 512 },
  ]);
  for (const first of [0, 1000]) {
    batch.clear();
    const slot = slotOf(first);
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
    expect(batch).toMatchObject({
      rows: 3,
      rowStart: first + 1,
      rowEnd: first + 5,
      skipped: [first + 2],
      badRows: [1],
    });
    expect(int32(batch.offsets)).toEqual([0, 2, 2, 5]);
    expect([...new BigInt64Array(batch.row.slice().buffer)]).toEqual(
      [1, 3, 4].map((n) => BigInt(first + n)),
    );
    const [values, entries] = batch.columns as [Column, Column];
    expect(values.shape).toMatchObject({ items: 3, offsets: false });
    expect(int32(values.values)).toEqual(
      [1, 3, 4].map((n) => 10 * (first + n)),
    );
    expect(entries.shape).toMatchObject({ items: 5, offsets: true });
    expect([...new Float64Array(entries.values.slice().buffer)]).toEqual(
      [1, 2, 3, 4, 5].map((n) => first + n / 8),
    );
  }
});
