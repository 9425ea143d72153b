/** One bit a row, from the low end of each byte; 0 for the bad rows, and beyond the last row. */
export function validityBitmap(rows: number, badRows: number[]): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(rows / 8)).fill(0xff);
  if (rows % 8) bitmap[bitmap.length - 1] = (1 << (rows % 8)) - 1;
  for (const row of badRows)
    bitmap[row >> 3] = (bitmap[row >> 3] as number) & ~(1 << (row & 7));
  return bitmap;
}
