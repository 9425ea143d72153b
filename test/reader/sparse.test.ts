import { Float64, Int32, Int64 } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";
import {
  cooFile,
  csrFile,
  type SparseExamples,
  writeResults,
} from "../support/results-file.js";

const at = workDirectory();
const classes = 6;
const size = classes * classes;
const M = 30;
const uniform = random(8);
const gauss = normal(uniform);
const logits = Float64Array.from({ length: M * classes }, () => 4 * gauss());
const found = built.softmaxJacobianEntries(logits, {
  rows: M,
  classes,
  threshold: 0.02,
});
/** Rows 4 and 5 were left out, row 9 is null, row 12 has no entries. */
const examples: SparseExamples = Array.from({ length: M }, (_, row) => {
  const range = [found.offsets[row], found.offsets[row + 1]] as const;
  const indices = [...found.indices.slice(...range)];
  const values = [...found.values.slice(...range)];
  if (row === 9) return { row, entries: null };
  if (row === 12) return { row, entries: { indices: [], values: [] } };
  return { row, entries: { indices, values } };
}).filter(({ row }) => row !== 4 && row !== 5);

function blockOf(row: number): Float64Array | null {
  const example = examples.find((e) => e.row === row);
  if (example?.entries === null) return null;
  const block = new Float64Array(size);
  example?.entries?.indices.forEach((index, n) => {
    block[index] = example.entries?.values[n] as number;
  });
  return block;
}

const said = (layout: string) => ({
  "softjac.layout": layout,
  "softjac.classes": String(classes),
  "softjac.rows": String(M),
  "softjac.threshold": "0.02",
  "softjac.emit": "jacobian",
  "softjac.dtype": "float64",
  "softjac.temperature": "1",
});

const FILES = { csr: csrFile(examples), coo: cooFile(examples, classes) };

describe.each(["csr", "coo"] as const)("%s", (layout) => {
  const columns = FILES[layout];

  test.each([[1000], [1], [2, 3], [7, 1, 30]])(
    "record batches of %s, %s, %s rows",
    async (...batchRows) => {
      const path = at(`${layout} ${batchRows}`);
      writeResults(path, {
        columns,
        metadata: said(layout),
        batchRows: batchRows.filter((n) => n !== undefined),
      });
      await using reader = await built.openJacobian(path);
      expect(reader).toMatchObject({
        layout,
        classes,
        rows: M,
        threshold: 0.02,
        temperature: 1,
        count: layout === "coo" ? M : examples.length,
      });
      const v = Float64Array.from({ length: classes }, (_, k) => 1 / (k + 1));
      for (const row of [29, 0, 9, 12, 28, 8, 10, 3, 6, 17]) {
        const block = blockOf(row);
        expect(await reader.block(row), `row ${row}`).toEqual(block);
        expect(await reader.entry(row, 2, 3)).toBe(
          block ? block[2 * classes + 3] : null,
        );
        expect(await reader.column(row, 4)).toEqual(
          block?.filter((_, n) => n % classes === 4) ?? null,
        );
        const product = await reader.multiply(row, v);
        const plain = block && multiply(block, v);
        if (plain === null) expect(product).toBeNull();
        else
          product?.forEach((value, i) => {
            expect(value).toBeCloseTo(plain[i] as number, 14);
          });
      }
      for (const row of layout === "csr" ? [4, 5, 30] : [30, -1])
        await expect(reader.block(row)).rejects.toMatchObject({
          code: "ERR_ROW_MISSING",
          name: "RowMissingError",
          row,
          path,
        });
      if (layout === "coo")
        expect(await reader.block(5)).toEqual(new Float64Array(size));

      const rows: number[] = [];
      for await (const batch of reader)
        for (let k = 0; k < batch.count; k++) {
          const row = batch.rows[k] as number;
          rows.push(row);
          expect(await batch.block(k), `row ${row}`).toEqual(blockOf(row));
        }
      const there = examples
        .filter(
          ({ entries }) => layout === "csr" || entries?.values.length !== 0,
        )
        .map(({ row }) => row);
      expect(rows).toEqual(there);

      const tensor = await reader.toDense();
      const own = (row: number, i: number) => {
        const start = ((row * classes + i) * M + row) * classes;
        return tensor.slice(start, start + classes);
      };
      expect(own(8, 1)).toEqual(blockOf(8)?.slice(classes, 2 * classes));
      expect(own(9, 1)).toEqual(new Float64Array(classes).fill(Number.NaN));
      expect(own(5, 1)).toEqual(
        new Float64Array(classes).fill(layout === "coo" ? 0 : Number.NaN),
      );
    },
  );

  test("without metadata: the classes are an option", async () => {
    const path = at(`${layout} plain`);
    writeResults(path, { columns });
    await expect(built.openJacobian(path)).rejects.toMatchObject({
      code: "ERR_USAGE",
      option: "classes",
      message: `classes: ${path} has no softjac.classes; give the number of classes as an option`,
    });
    await using reader = await built.openJacobian(path, { classes });
    expect(reader).toMatchObject({
      layout,
      rows: M,
      temperature: null,
      threshold: null,
    });
    expect(await reader.block(29)).toEqual(blockOf(29));
    await using more = await built.openJacobian(path, { classes, rows: 50 });
    expect(more.rows).toBe(50);
  });

  test("an index that is not in the block, or does not ascend", async () => {
    const path = at(`${layout} wrong`);
    for (const indices of [
      [3, size],
      [-1, 3],
      [7, 7],
      [9, 8],
    ]) {
      const wrong = [{ row: 0, entries: { indices, values: [1, 2] } }];
      const file = layout === "csr" ? csrFile(wrong) : cooFile(wrong, classes);
      writeResults(path, { columns: file });
      await using reader = await built.openJacobian(path, { classes });
      const { InputFormatError } = built;
      await expect(reader.block(0)).rejects.toThrow(InputFormatError);
      await expect(reader.entry(0, 1, 1)).rejects.toThrow(InputFormatError);
    }
  });
});

test("coo: row numbers that go back are refused where they are met", async () => {
  const path = at("unsorted");
  const rows = [0n, 1n, 3n, 2n, 4n];
  const ints = [0, 0, 0, 0, 0];
  writeResults(path, {
    columns: [
      ["row", new Int64(), rows],
      ["i", new Int32(), ints],
      ["j", new Int32(), ints],
      ["value", new Float64(), [1, 2, 3, 4, 5]],
    ],
  });
  await using reader = await built.openJacobian(path, { classes: 2 });
  await expect(reader.block(3)).rejects.toMatchObject({
    code: "ERR_INPUT_FORMAT",
    message: `${path}: record batch 0: column row: expected ascending row numbers from 3 to 4, found 2`,
  });
});

test("coo: one example in very many batches", async () => {
  const path = at("long");
  const indices = Array.from({ length: size }, (_, n) => n);
  const values = indices.map((n) => n + 0.5);
  const three = [0, 1, 2].map((row) => ({ row, entries: { indices, values } }));
  writeResults(path, { columns: cooFile(three, classes), batchRows: [5] });
  await using reader = await built.openJacobian(path, { classes });
  const counts: number[] = [];
  for await (const batch of reader) {
    counts.push(batch.count);
    for (let k = 0; k < batch.count; k++)
      expect(await batch.block(k)).toEqual(Float64Array.from(values));
  }
  expect(counts.filter((n) => n > 0)).toEqual([1, 1, 1]);
  expect(await reader.block(1)).toEqual(Float64Array.from(values));
});

function multiply(block: Float64Array, v: Float64Array): Float64Array {
  return v.map((_, i) =>
    v.reduce((sum, x, j) => sum + x * (block[i * classes + j] as number), 0),
  );
}
