import { readFileSync } from "node:fs";
import { tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
const output = at("out.arrow");

async function tableOf(input: string, options = {}) {
  await built.run({ input, output, force: true, ...options });
  return tableFromIPC(readFileSync(output));
}

test("no rows give an empty table with the full schema", async () => {
  const input = at("empty.arrow");
  writeLogits(input, { rows: 0, classes: 4, logit: () => 0 });
  const table = await tableOf(input);
  expect(table.numRows).toBe(0);
  expect(table.schema.fields.map((f) => `${f.name}: ${f.type}`)).toEqual([
    "row: Int64",
    "softmax: FixedSizeList[4]<Float64>",
    "jacobian: FixedSizeList[16]<Float64>",
  ]);
  expect(table.schema.metadata.get("softjac.rows")).toBe("0");
});

test("one class gives p = 1 and J = 0", async () => {
  const input = at("one.arrow");
  writeLogits(input, { rows: 3, classes: 1, logit: (r) => 1e3 * r });
  const table = await tableOf(input);
  for (const row of table) {
    expect([...row.softmax]).toEqual([1]);
    expect([...row.jacobian]).toEqual([0]);
  }
});

test("float32 input gives float64 output, and vice versa", async () => {
  const input = at("f32.arrow");
  writeLogits(input, {
    rows: 2,
    classes: 3,
    dtype: "float32",
    logit: (r, k) => r + k / 3,
  });
  const wide = await tableOf(input, { dtype: "float64" });
  const narrow = await tableOf(input);
  const p64 = wide.getChild("softmax")?.get(1).toArray() as Float64Array;
  const p32 = narrow.getChild("softmax")?.get(1).toArray() as Float32Array;
  expect(p64).toBeInstanceOf(Float64Array);
  expect(p32).toEqual(Float32Array.from(p64));
});

const BAD = [
  {
    name: "NaN",
    set: (_r: number, k: number) => (k === 1 ? Number.NaN : 0),
    found: "NaN in class 1",
  },
  {
    name: "+inf",
    set: (_r: number, k: number) => (k === 2 ? Infinity : 0),
    found: "+inf in class 2",
  },
  { name: "all masked", set: () => -Infinity, found: "-inf in all 3 classes" },
];

test.each(BAD)(
  "rejects $name and names the first such row",
  async ({ set, found }) => {
    const input = at("bad.arrow");
    // Row 4711 and later ones are bad in many chunks at once; the error names the first in row order.
    writeLogits(input, {
      rows: 200_000,
      classes: 3,
      logit: (r, k) => (r >= 4711 ? set(r, k) : k),
    });
    await expect(
      built.run({
        input,
        output: at("none.arrow"),
        threads: 3,
        chunkRows: 1000,
      }),
    ).rejects.toMatchObject({
      code: "ERR_BAD_ROW",
      row: 4711,
      message: `${input}: row 4711: expected finite logits or -inf for masked classes, found ${found} (--on-bad-row null keeps the row as null, skip drops it)`,
      report: { status: "failed", rows: 200_000 },
    });
    expect(() => readFileSync(at("none.arrow"))).toThrow("ENOENT");
  },
);

test("onBadRow null stores and counts null results; rows with masked classes are not bad", async () => {
  const input = at("nulls.arrow");
  writeLogits(input, {
    rows: 100,
    classes: 3,
    batchRows: [7],
    logit: (r, k) => (r % 10 === 3 ? Number.NaN : k === 0 ? -Infinity : k),
  });
  const report = await built.run({
    input,
    output,
    force: true,
    onBadRow: "null",
  });
  expect(report).toMatchObject({ badRows: 10, firstBadRow: 3, rowsDone: 100 });
  const table = tableFromIPC(readFileSync(output));
  for (const name of ["softmax", "jacobian"]) {
    const column = table.getChild(name);
    expect(column?.nullCount).toBe(10);
    for (let r = 0; r < 100; r++)
      expect(column?.get(r) === null).toBe(r % 10 === 3);
  }
  expect(table.getChild("softmax")?.get(0)?.get(0)).toBe(0);
});
