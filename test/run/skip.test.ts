import { readFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import { tableFromIPC as arrow } from "apache-arrow";
import { expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { KEPT, KEPT_ROWS, writeKept } from "../support/kept-input.js";
import { runsIn, upTo } from "../support/runs.js";

const { at, write, run, files, input } = runsIn();

/** Runs with bad rows null and with bad rows skipped. */
async function both(options: Partial<RunOptions>) {
  const nulls = await run({ ...options, onBadRow: "null" });
  const gaps = await run({ ...options, onBadRow: "skip" });
  for (const { bytes, report } of [nulls, gaps])
    expect(bytes.byteLength).toBe(report.outputBytes);
  return { nulls, gaps };
}

const MANY = {
  name: "across batches and tasks",
  ...{ rows: 30_000, classes: 9, batchRows: [1234] },
  bad: (r: number) => r % 97 === 3 || (r >= 9000 && r < 9100) || r === 29_999,
};
const withBad = ({ bad, ...shape }: typeof MANY) => ({
  ...shape,
  logit: (r: number, k: number) =>
    k === 2 && bad(r) ? Number.NaN : Math.sin(r * 3 + k),
});

test.each([
  MANY,
  { ...MANY, name: "all of them", rows: 500, classes: 4, bad: () => true },
  { ...MANY, name: "none", rows: 500, classes: 4, bad: () => false },
  {
    ...{ ...MANY, name: "blocks in tiles", rows: 4, classes: 400 },
    bad: (r: number) => r === 1 || r === 3,
  },
])(
  "bad rows $name: other rows are unchanged, and the column row shows the gaps",
  async (shape) => {
    write(withBad(shape));
    const { rows } = shape;
    const good = upTo(rows).filter((r) => !shape.bad(r));
    for (const layout of ["bsr", "packed", "factored", "csr"] as const) {
      const { nulls, gaps } = await both({ layout, threads: 2 });
      const badRows = rows - good.length;
      expect(gaps.report).toMatchObject({ rowsDone: rows, badRows });
      expect(gaps.column("row")).toEqual(good);
      for (const name of gaps.names.slice(1)) {
        const [all, left] = [
          nulls.table.getChild(name),
          gaps.table.getChild(name),
        ];
        for (const [n, r] of good.entries())
          if (n % 50 === 0 || n > good.length - 3)
            expect(left.at(n)).toEqual(all.at(r));
      }
      expect(arrow(gaps.bytes).numRows).toBe(good.length);
    }
  },
);

test("dense: a slab is at the position of its row in the tensor, with any rows missing", async () => {
  const logit = (r: number, k: number) =>
    r === 1 && k === 0 ? Number.NaN : r - k * k;
  write({ rows: 5, classes: 3, logit });
  const { nulls, gaps } = await both({ layout: "dense" });
  const slabs = gaps.column("jacobian");
  expect(slabs).toEqual(nulls.column("jacobian").filter((slab) => slab));
  // In (i, q, j), row 2 is at q = 2.
  const places = upTo(45).filter((n) => slabs[1][n] !== 0);
  expect([...new Set(places.map((n) => Math.floor(n / 3) % 5))]).toEqual([2]);
});

test.each([
  ["bsr", "softmax"],
  ["csr", "jacobian"],
] as const)(
  "%s: columns of every type are copied; a row without a label is a bad row",
  async (layout, result) => {
    writeKept(input, 7);
    const keep = Object.keys(KEPT);
    const emit = [result, "cross_entropy"] as const;
    const options = { keep, column: "logits", label: "label", layout, emit };
    const { gaps } = await both(options);
    const kept = upTo(KEPT_ROWS).filter((r) => (r % 7) - 3 >= 0);
    expect(gaps.column("row")).toEqual(kept);
    const source = flechette(readFileSync(input), { useBigInt: false });
    for (const name of keep)
      expect([...gaps.table.getChild(name)]).toEqual(
        kept.map((r) => source.getChild(name).at(r)),
      );
  },
);

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
