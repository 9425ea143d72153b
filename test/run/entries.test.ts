import { afterEach, expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { built } from "../support/built.js";
import { setKernel } from "../support/kernels.js";
import { normal, random } from "../support/random.js";
import { runsIn, upTo } from "../support/runs.js";

const { run, write } = runsIn();
afterEach(() => setKernel("simd"));

/** Runs with layout csr, and returns the report and one object per row. */
async function runCsr(options: Partial<RunOptions> = {}) {
  const { report, column } = await run({ ...options, layout: "csr" });
  const names = ["indices", "values", "dropped_max", "dropped_sum"];
  const columns = names.map(column);
  const examples = upTo(columns[0]?.length ?? 0).map((r) => {
    const [indices, values, ...dropped] = columns.map((c) => c[r]);
    return { indices, values, dropped } as {
      [name in "indices" | "values" | "dropped"]: number[];
    };
  });
  return { report, examples };
}

function logitsOf(rows: number, classes: number, seed: number) {
  const draw = normal(random(seed));
  return Float64Array.from({ length: rows * classes }, () => 4 * draw());
}

const RESULTS = ["jacobian", "log_jacobian"] as const;
const CHOICES = [
  {},
  { threshold: 1e-6 },
  { topK: 20 },
  { threshold: 1e-4, topK: 5, temperature: 3 },
];

test.each(
  [
    // More than 4 MiB in coo, so that threads compute them.
    { rows: 1900, classes: 7, batchRows: [500, 31] },
    { rows: 2, classes: 450, batchRows: [1] },
    { rows: 4, classes: 1, batchRows: [4] },
  ].flatMap((size) =>
    CHOICES.flatMap((choice, k) =>
      // Blocks of many entries, or of one, are tested with one result for each choice.
      (size.rows > 4 ? RESULTS : RESULTS.slice(k % 2, (k % 2) + 1)).map(
        (of) => ({ size, of, choice }),
      ),
    ),
  ),
)(
  "csr and coo have the in-memory entries: %j",
  async ({ size, of, choice }) => {
    const { rows, classes } = size;
    const logits = logitsOf(rows, classes, 9);
    const logit = (r: number, k: number) => logits[r * classes + k] as number;
    write({ ...size, logit });
    const shape = { rows, classes };
    const chosen = { ...shape, of, ...choice };
    const expected = built.softmaxJacobianEntries(logits, chosen);
    const { indices, values, droppedMax, droppedSum, offsets } = expected;
    const total = values.length;
    const listed = await runCsr({ emit: [of], ...choice });
    expect(listed.report).toMatchObject({ entries: total, rowsDone: rows });
    listed.examples.forEach((example, r) => {
      const [from, to] = [offsets[r], offsets[r + 1]];
      const lists = [indices.subarray(from, to), values.subarray(from, to)];
      const dropped = [droppedMax[r], droppedSum[r]];
      const found = [example.indices, example.values, example.dropped];
      expect(
        found.map((values) => [...values]),
        `row ${r}`,
      ).toEqual([...lists, dropped].map((values) => [...values]));
    });
    const { table, report } = await run({
      layout: "coo",
      emit: ["dropped_sum", of, "confidence", "dropped_max"],
      ...choice,
    });
    expect(report.entries).toBe(total);
    const owner = new Float64Array(total);
    for (let r = 0; r < rows; r++) owner.fill(r, offsets[r], offsets[r + 1]);
    const { confidence } = built.softmaxResults(logits, {
      ...shape,
      emit: ["confidence"],
      temperature: choice.temperature ?? 1,
    });
    const pairs = Float64Array.from(indices);
    const perEntry = (values: ArrayLike<number>) =>
      owner.map((r) => values[r] as number);
    for (const [name, found] of Object.entries({
      row: owner,
      i: pairs.map((n) => Math.floor(n / classes)),
      j: pairs.map((n) => n % classes),
      value: values,
      dropped_max: perEntry(droppedMax),
      dropped_sum: perEntry(droppedSum),
      confidence: perEntry(confidence as Float64Array),
    }))
      expect([...table.getChild(name).toArray()], name).toEqual([...found]);
  },
);

test.each(["bsr", "csr", "coo"] as const)(
  "%s, bad rows skipped: threads, tasks and kernel do not change bytes",
  async (layout) => {
    const rows = 40_000;
    const logits = logitsOf(rows, 11, 3).map((x, n) => (n % 997 ? x : NaN));
    const logit = (r: number, k: number) => logits[r * 11 + k] as number;
    write({ rows, classes: 11, batchRows: [7001], logit });
    const entries = layout === "bsr" ? {} : { threshold: 1e-9 };
    let first: Buffer | null = null;
    for (const { kernel = "simd", ...way } of [
      { threads: 2 },
      { threads: 3, chunkRows: 77 },
      { threads: 1, chunkRows: 40_000, kernel: "plain" as const },
    ]) {
      setKernel(kernel);
      const options = { layout, ...entries, onBadRow: "skip", ...way } as const;
      const { report, bytes } = await run(options);
      expect(report.threads).toBe(way.threads);
      expect(report.recordBatches).toBeGreaterThan(1);
      first ??= bytes;
      expect(bytes.equals(first)).toBe(true);
    }
  },
);

test("an example larger than the target size has its own record batch", async () => {
  const classes = 1800;
  write({ rows: 3, classes, logit: (r, k) => ((r + k) % 9) / 9 });
  const { report, table } = await run({ layout: "csr", emit: ["jacobian"] });
  const entries = 3 * classes ** 2;
  expect(report).toMatchObject({ recordBatches: 3, entries });
  expect(table.getChild("indices").at(2).at(-1)).toBe(classes ** 2 - 1);
  const logits = Float64Array.from(upTo(classes), (k) => ((2 + k) % 9) / 9);
  const p = built.softmax(logits, { rows: 1, classes });
  expect(table.getChild("values").at(2)[5 * classes + 1700]).toBe(
    -((p[5] as number) * (p[1700] as number)),
  );
}, 60_000);

test("csr rejects more classes than int32 indices can hold, coo does not", async () => {
  write({ rows: 2, classes: 50_000, logit: (r, k) => -(k + r) / 3 });
  await expect(run({ layout: "csr", topK: 9 })).rejects.toThrow(
    "expected at most 46340 classes in layout csr, whose indices are int32, found 50000; use --layout factored, --layout coo --threshold T, or --emit softmax",
  );
  const { report, column } = await run({ layout: "coo", threshold: 1e-6 });
  // p_i p_j = p_0² e^(-(i+j)/3) >= 1e-6 with p_0 = 1 - e^(-1/3)
  const p = (k: number) => (1 - Math.exp(-1 / 3)) * Math.exp(-k / 3);
  const expected = upTo(100 * 100).filter((n) => {
    const [i, j] = [Math.floor(n / 100), n % 100];
    return (i === j ? p(i) * (1 - p(i)) : p(i) * p(j)) >= 1e-6;
  });
  expect(report.entries).toBe(2 * expected.length);
  expect(column("value")).toHaveLength(2 * expected.length);
});
