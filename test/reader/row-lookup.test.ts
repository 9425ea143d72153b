import fc from "fast-check";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { writeRows } from "../support/results-file.js";

const at = workDirectory();
const path = at("rows");

/** Expects that lookups find the rows and, as missing, their successors. */
async function expectRows(rows: number[]): Promise<void> {
  await using reader = await built.openJacobian(path);
  for (const row of [...rows, ...rows.map((row) => row + 1), 0])
    if (rows.includes(row))
      expect(await reader.block(row)).toEqual(Float64Array.of(row));
    else
      await expect(reader.block(row)).rejects.toMatchObject({
        code: "ERR_ROW_MISSING",
        message: expect.stringContaining(
          `${path}: row ${row}: no such row; the file has ${rows.length} row`,
        ),
      });
  const found: number[] = [];
  for await (const batch of reader) found.push(...batch.rows);
  expect(found).toEqual(rows);
  expect(reader.count).toBe(rows.length);
}

test("lookups find all rows and no others, for any gaps and record batches", async () => {
  const step = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 9 }));
  const gaps = fc.array(step, { minLength: 1, maxLength: 40 });
  const size = fc.integer({ min: 1, max: 9 });
  const sizes = fc.array(size, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      gaps,
      fc.nat(5),
      sizes,
      async (steps, start, batchRows) => {
        let row = start - 1;
        const rows = steps.map((step) => {
          row += step;
          return row;
        });
        writeRows(path, rows, batchRows);
        await expectRows(rows);
      },
    ),
    { numRuns: 60, seed: 3 },
  );
});

test("a file without rows has no row, not even -1", async () => {
  const input = at("bad");
  writeLogits(input, { rows: 1, classes: 2, logit: () => Number.NaN });
  await built.run({ input, output: path, onBadRow: "skip", force: true });
  await using reader = await built.openJacobian(path);
  for (const row of [-1, 0, 1])
    await expect(reader.block(row)).rejects.toMatchObject({
      code: "ERR_ROW_MISSING",
      message: `${path}: row ${row}: no such row; the file has 0 rows`,
    });
});

test.each([
  [[0, 2, 2, 3]],
  [[3, 2, 1, 0]],
  [[0, 5, 3, 9]],
  [[-1, 0, 1, 2]],
  [[0, 1, 2, 2]],
])("row numbers %o do not ascend", async (rows) => {
  for (const batchRows of [[4], [2], [1]]) {
    writeRows(path, rows, batchRows);
    const read = async () => {
      await using reader = await built.openJacobian(path);
      for await (const { count } of reader) expect(count).toBeGreaterThan(0);
    };
    await expect(read(), `${batchRows}`).rejects.toThrow(
      built.InputFormatError,
    );
  }
});
