import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import { tableFromIPC as arrow } from "apache-arrow";
import { afterEach, expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { built } from "../support/built.js";
import { KEPT, KEPT_ROWS, writeKept } from "../support/kept-input.js";
import { setKernel } from "../support/kernels.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
afterEach(() => setKernel("simd"));
const output = at("out.arrow");

/** Runs with bad rows null and with bad rows skipped, and returns both tables as read by flechette. */
async function both(options: Omit<RunOptions, "output" | "onBadRow">) {
  const tables = [];
  for (const onBadRow of ["null", "skip"] as const) {
    const report = await built.run({
      ...options,
      output,
      onBadRow,
      force: true,
    });
    const bytes = readFileSync(output);
    expect(bytes.byteLength).toBe(report.outputBytes);
    tables.push({ report, bytes, table: flechette(bytes) });
  }
  return tables as [(typeof tables)[number], (typeof tables)[number]];
}

for (const { name, rows, classes, bad } of [
  {
    name: "across batches and tasks",
    rows: 30_000,
    classes: 9,
    bad: (r: number) => r % 97 === 3 || (r >= 9000 && r < 9100) || r === 29_999,
  },
  { name: "all of them", rows: 500, classes: 4, bad: () => true },
  { name: "none", rows: 500, classes: 4, bad: () => false },
  {
    name: "blocks in tiles",
    rows: 4,
    classes: 400,
    bad: (r: number) => r === 1 || r === 3,
  },
]) {
  const input = at(`${name}.arrow`);
  writeLogits(input, {
    rows,
    classes,
    batchRows: [1234],
    logit: (r, k) => (k === 2 && bad(r) ? Number.NaN : Math.sin(r * 3 + k)),
  });
  test(`bad rows ${name}: other rows are unchanged, and the column row shows the gaps`, async () => {
    for (const layout of ["bsr", "packed", "factored"] as const) {
      const [nulls, gaps] = await both({ input, layout, threads: 2 });
      const good = Array.from({ length: rows }, (_, r) => r).filter(
        (r) => !bad(r),
      );
      expect(gaps.report).toMatchObject({
        rowsDone: rows,
        badRows: rows - good.length,
      });
      expect([...gaps.table.getChild("row")].map(Number)).toEqual(good);
      for (const column of gaps.table.names.slice(1)) {
        const [all, left] = [
          nulls.table.getChild(column),
          gaps.table.getChild(column),
        ];
        for (const [n, r] of good.entries())
          if (n % 50 === 0 || n > good.length - 3)
            expect(left.at(n)).toEqual(all.at(r));
      }
      expect(arrow(gaps.bytes).numRows).toBe(good.length);
    }
  });
}

test("dense: a slab is at the position of its row in the tensor, with any rows missing", async () => {
  const input = at("dense.arrow");
  writeLogits(input, {
    rows: 5,
    classes: 3,
    logit: (r, k) => (r === 1 && k === 0 ? Number.NaN : r - k * k),
  });
  const [nulls, gaps] = await both({ input, layout: "dense" });
  const slabs = (t: typeof gaps) => [...t.table.getChild("jacobian")];
  expect(slabs(gaps)).toEqual(slabs(nulls).filter((slab) => slab !== null));
  const slab = slabs(gaps)[1] as Float64Array;
  // In (i, q, j), row 2 is at q = 2.
  const places = Array.from(slab.keys()).filter((n) => slab[n] !== 0);
  expect(new Set(places.map((n) => Math.floor(n / 3) % 5))).toEqual(
    new Set([2]),
  );
});

test.each([
  ["bsr", "softmax"],
  ["csr", "jacobian"],
] as const)(
  "%s: columns of every type are copied; a row without a label is a bad row",
  async (layout, result) => {
    const input = at("kept.arrow");
    writeKept(input, 7);
    const keep = Object.keys(KEPT);
    const options = { input, keep, column: "logits", label: "label" };
    const emit = [result, "cross_entropy"] as const;
    const [, gaps] = await both({ ...options, layout, emit });
    const kept = Array.from({ length: KEPT_ROWS }, (_, r) => r).filter(
      (r) => (r % 7) - 3 >= 0,
    );
    expect([...gaps.table.getChild("row")].map(Number)).toEqual(kept);
    const source = flechette(readFileSync(input));
    for (const name of keep)
      expect([...gaps.table.getChild(name)]).toEqual(
        kept.map((r) => source.getChild(name).at(r)),
      );
  },
);

test("any number of threads and tasks gives the same bytes", async () => {
  const hashes = new Set<string>();
  for (const { kernel = "simd", ...way } of [
    { threads: 1 },
    { threads: 2, chunkRows: 501 },
    { threads: 2, kernel: "plain" as const },
  ]) {
    setKernel(kernel);
    await built.run({
      input: at("across batches and tasks.arrow"),
      output,
      onBadRow: "skip",
      force: true,
      ...way,
    });
    hashes.add(createHash("sha256").update(readFileSync(output)).digest("hex"));
  }
  expect(hashes.size).toBe(1);
});
