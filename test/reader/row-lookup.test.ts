import { Float64, Int64 } from "apache-arrow";
import fc from "fast-check";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { fixedSizeList } from "../support/fixed-size-list.js";
import { workDirectory } from "../support/logits-input.js";
import { writeResults } from "../support/results-file.js";

const at = workDirectory();
const path = at("rows");

/** A file of one class: the block of a row is the row's own number. */
function writeRows(rows: number[], batchRows: number[]): void {
  writeResults(path, {
    columns: [
      ["row", new Int64(), rows.map(BigInt)],
      ["jacobian", fixedSizeList(new Float64(), 1), rows.map((r) => [r])],
    ],
    batchRows,
  });
}

async function checkAll(rows: number[]): Promise<void> {
  await using reader = await built.openJacobian(path);
  const there = new Set(rows);
  const last = Math.max(-1, ...rows);
  for (const row of [...rows, ...rows.map((r) => r + 1), 0, last + 1])
    if (there.has(row))
      expect(await reader.block(row)).toEqual(Float64Array.of(row));
    else
      await expect(reader.block(row)).rejects.toMatchObject({
        code: "ERR_ROW_MISSING",
      });
  const found: number[] = [];
  for await (const batch of reader) found.push(...batch.rows);
  expect(found).toEqual(rows);
  expect(reader.count).toBe(rows.length);
}

test("every row is found and no other, whatever the gaps and the batches", async () => {
  const gaps = fc.array(
    fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 9 })),
    {
      minLength: 1,
      maxLength: 40,
    },
  );
  const cuts = fc.array(fc.integer({ min: 1, max: 9 }), {
    minLength: 1,
    maxLength: 4,
  });
  await fc.assert(
    fc.asyncProperty(gaps, fc.nat(5), cuts, async (steps, start, batchRows) => {
      let row = start - 1;
      const rows = steps.map((step) => {
        row += step;
        return row;
      });
      writeRows(rows, batchRows);
      await checkAll(rows);
    }),
    { numRuns: 60, seed: 3 },
  );
});

test("thousands of rows with long gaps in one batch", async () => {
  const rows = Array.from({ length: 3000 }, (_, k) => k * k + k);
  writeRows(rows, [3000]);
  await using reader = await built.openJacobian(path);
  for (let k = 0; k < rows.length; k += 37) {
    const row = rows[k] as number;
    expect(await reader.block(row)).toEqual(Float64Array.of(row));
    await expect(reader.block(row + 1)).rejects.toThrow(
      `row ${row + 1}: the file has 3000 examples of rows 0 to 8997000, but not this row`,
    );
  }
});

test("row numbers that do not ascend are refused", async () => {
  for (const rows of [
    [0, 2, 2, 3],
    [3, 2, 1, 0],
    [0, 5, 3, 9],
    [-1, 0, 1, 2],
    [0, 1, 2, 2],
  ])
    for (const batchRows of [[4], [2], [1]]) {
      writeRows(rows, batchRows);
      const read = async () => {
        await using reader = await built.openJacobian(path);
        for await (const { count } of reader) expect(count).toBeGreaterThan(0);
      };
      await expect(read(), `${rows} by ${batchRows}`).rejects.toThrow(
        built.InputFormatError,
      );
    }
});
