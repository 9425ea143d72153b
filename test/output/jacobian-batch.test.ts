import { expect, test } from "vitest";
import { validityBitmap } from "../../src/output/jacobian-batch.js";

test("one bit a row, none beyond the last, 0 for bad rows: any number of rows", () => {
  for (let rows = 0; rows <= 20; rows++) {
    const bad = [0, 7, 8, rows - 1].filter((row) => row >= 0 && row < rows);
    const bitmap = validityBitmap(rows, bad);
    expect(bitmap.byteLength).toBe(Math.ceil(rows / 8));
    const bits = Array.from(bitmap).flatMap((byte) =>
      Array.from({ length: 8 }, (_, n) => (byte >> n) & 1),
    );
    expect(bits).toEqual(
      bits.map((_, row) => (row < rows && !bad.includes(row) ? 1 : 0)),
    );
  }
});
