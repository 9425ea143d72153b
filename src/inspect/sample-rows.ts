import { InputRows } from "../input/input-rows.js";
import type { LogitsFile } from "../input/logits-file.js";

/** Rows of logits, row-major, that have a softmax. */
export interface RowSample {
  rows: number;
  logits: Float64Array;
}

/** Rows that are read together, from so many places of the file. */
const STRETCHES = 4;
const VALUES = 1 << 16;

/** Some rows from the beginning to the end of a file, without those that have no softmax. */
export async function sampleLogits(file: LogitsFile): Promise<RowSample> {
  const { rows, classes } = file;
  const each = Math.max(1, Math.floor(VALUES / classes / STRETCHES));
  const input = new InputRows(file);
  const found: Float64Array[] = [];
  const starts = new Set(
    Array.from({ length: STRETCHES }, (_, n) =>
      Math.floor((n * Math.max(0, rows - each)) / (STRETCHES - 1)),
    ),
  );
  for (const start of rows === 0 ? [] : starts) {
    const end = Math.min(rows, start + each);
    await input.load(start, end);
    for (let row = start; row < end; row++) {
      const values = input.values(row, 0);
      if (hasSoftmax(values)) found.push(values.slice());
    }
  }
  const logits = new Float64Array(found.length * classes);
  found.forEach((values, n) => {
    logits.set(values, n * classes);
  });
  return { rows: found.length, logits };
}

function hasSoftmax(values: Float64Array): boolean {
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return Number.isFinite(largest);
}
