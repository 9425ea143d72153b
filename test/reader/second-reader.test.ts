import { readFileSync } from "node:fs";
import { type Table, tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

// Outputs of several record batches: openJacobian gives the blocks that apache-arrow reads.

const ROWS = 430;
const CLASSES = 200;
const at = workDirectory();
const input = at("in.arrow");
const isBad = (row: number) => row % 37 === 5 || row === ROWS - 1;
writeLogits(input, {
  rows: ROWS,
  classes: CLASSES,
  logit: (row, k) => (isBad(row) && k === 3 ? Number.NaN : Math.sin(row + k)),
});

/** Returns the numbers of a list column in one row; null where it is null. */
function listAt(table: Table, name: string, row: number): ArrayLike<number> {
  return table.getChild(name)?.get(row)?.toArray() ?? null;
}

/** Returns the block of a row, by the layout of its file. */
const BLOCKS = {
  bsr: (table: Table, row: number) => listAt(table, "jacobian", row),
  packed(table: Table, row: number) {
    const triangle = listAt(table, "jacobian", row);
    if (!triangle) return null;
    const block = new Float32Array(CLASSES ** 2);
    let n = 0;
    for (let i = 0; i < CLASSES; i++)
      for (let j = i; j < CLASSES; j++) {
        block[i * CLASSES + j] = triangle[n] as number;
        block[j * CLASSES + i] = triangle[n++] as number;
      }
    return block;
  },
  csr(table: Table, row: number) {
    const indices = listAt(table, "indices", row);
    const values = listAt(table, "values", row);
    if (!indices || !values) return null;
    const block = new Float32Array(CLASSES ** 2);
    for (let n = 0; n < indices.length; n++)
      block[indices[n] as number] = values[n] as number;
    return block;
  },
};

test.each([
  ["bsr", {}],
  ["packed", {}],
  ["csr", { threshold: 1e-5 }],
] as const)("%s", async (layout, options) => {
  const output = at(`${layout}.arrow`);
  await built.run({
    input,
    output,
    layout,
    emit: ["jacobian"],
    dtype: "float32",
    onBadRow: "null",
    threads: 2,
    sync: false,
    ...options,
  });
  const table = tableFromIPC(readFileSync(output));
  expect(table.numRows).toBe(ROWS);
  const ends = table.batches.map(({ numRows }) => numRows);
  expect(ends.length).toBeGreaterThan(1);
  // Rows at either side of each end of a batch, bad rows, and some others.
  let end = 0;
  const rows = new Set([0, 5, 42, 130, ROWS - 1]);
  for (const count of ends) {
    end += count;
    for (const row of [end - 1, end]) if (row < ROWS) rows.add(row);
  }
  await using reader = await built.openJacobian(output);
  for (const row of rows) {
    const expected = BLOCKS[layout](table, row);
    expect(expected === null, `row ${row}`).toBe(isBad(row));
    const found = await reader.block(row);
    if (!expected || !found) expect(found).toBe(expected);
    else
      expect(
        Buffer.from(Float32Array.from(expected).buffer).equals(
          Buffer.from(Float32Array.from(found).buffer),
        ),
        `row ${row}`,
      ).toBe(true);
  }
});
