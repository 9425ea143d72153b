import { expect, test } from "vitest";
import { runsIn } from "../support/runs.js";

const { at, run, write, files } = runsIn();

test("no rows give an empty table with the full schema", async () => {
  write({ rows: 0, classes: 4, logit: () => 0 });
  const { table, metadata } = await run();
  expect(table.numRows).toBe(0);
  expect(
    table.schema.fields.map(({ name, type }) => [
      name,
      "stride" in type ? type.stride : type,
    ]),
  ).toMatchObject([
    ["row", { bitWidth: 64 }],
    ["softmax", 4],
    ["jacobian", 16],
  ]);
  expect(metadata["softjac.rows"]).toBe("0");
});

test("one class gives p = 1 and J = 0", async () => {
  write({ rows: 3, classes: 1, logit: (r) => 1e3 * r });
  const { column } = await run();
  expect(column("softmax")).toEqual([[1], [1], [1]]);
  expect(column("jacobian")).toEqual([[0], [0], [0]]);
});

test.each<[string, (k: number) => number]>([
  ["NaN in class 1", (k) => (k === 1 ? Number.NaN : 0)],
  ["+inf in class 2", (k) => (k === 2 ? Infinity : 0)],
  ["-inf in all 3 classes", () => -Infinity],
])("the first row with %s is rejected", async (found, value) => {
  // Row 4711 and later ones are bad in many chunks at once; the error names the first in row order.
  const logit = (r: number, k: number) => (r >= 4711 ? value(k) : k);
  const input = write({ rows: 200_000, classes: 3, logit });
  const output = at("none.arrow");
  await expect(
    run({ output, threads: 3, chunkRows: 1000 }),
  ).rejects.toMatchObject({
    code: "ERR_BAD_ROW",
    row: 4711,
    message: `${input}: row 4711: expected finite logits or -inf for masked classes, found ${found} (--on-bad-row null keeps the row as null, skip drops it)`,
    report: { status: "failed", rows: 200_000 },
  });
  expect(files(/none/)).toEqual([]);
});
