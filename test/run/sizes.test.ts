import { spawnSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import {
  type RunOptions,
  resolveOptions,
} from "../../src/options/run-options.js";
import { layoutFixed, planFixed } from "../../src/run/fixed-plan.js";
import { chunksOf } from "../../src/run/fixed-rows.js";
import { openOptions } from "../../src/run/open-options.js";
import { CLI } from "../cli/support.js";
import { npy } from "../support/array-files.js";
import { KEPT, writeKept } from "../support/kept-input.js";
import { runsIn } from "../support/runs.js";

// Sizes computed by arithmetic equal those of the output, in memory that does not depend on the rows.

const { at, write, output } = runsIn();
const kept = at("kept.arrow");
writeKept(kept, 20);

const plain = fc
  .record({
    rows: fc.constantFrom(0, 1, 2, 63, 64, 65, 130, 700, 2000),
    classes: fc.constantFrom(1, 2, 7, 20),
  })
  .map((shape) => ({ shape, input: at(`${Object.values(shape)}.arrow`) }));
const withKept = fc
  .subarray(Object.keys(KEPT))
  .map((keep) => ({ input: kept, keep }));
const written = new Set<string>();

const anyRun = fc.record({
  file: fc.oneof(plain, withKept),
  layout: fc.constantFrom("bsr", "packed", "factored", "dense"),
  dtype: fc.constantFrom(undefined, "float32", "float64"),
  onBadRow: fc.constantFrom("error", "null", "skip"),
  threads: fc.integer({ min: 1, max: 4 }),
  chunkRows: fc.constantFrom(undefined, 1, 3, 64),
});

test("a plan has the sizes and counts of the layout and the tasks that it leads to", async () => {
  await fc.assert(
    fc.asyncProperty(anyRun, async ({ file: { input, ...file }, ...given }) => {
      const { shape, ...kept } = { shape: null, ...file };
      if (shape && !written.has(input))
        write({ ...shape, logit: () => 0 }, input);
      written.add(input);
      const options = resolveOptions({
        ...{ input, output, forceDense: true, ...kept },
        ...(given as Partial<RunOptions>),
      });
      const logits = await openLogits(input, openOptions(options));
      try {
        const plan = planFixed(options, logits);
        const { batches, bytes } = layoutFixed(plan, []);
        const bodies = batches.map(({ bodyBytes }) => bodyBytes);
        const chunks = batches.flatMap((_, k) => chunksOf(plan, k));
        expect(plan).toMatchObject({
          maxBytes: bytes,
          largestBodyBytes: Math.max(0, ...bodies),
          batchCount: batches.length,
          chunkCount: chunks.length,
        });
        expect(
          [...plan.shapes()].flatMap(({ shape, count }) =>
            Array.from({ length: count }, () => shape),
          ),
        ).toEqual(batches.map(({ shape }) => shape));
      } finally {
        logits.close();
      }
    }),
    { numRuns: 400 },
  );
});

const MB = 1e6;
const PEAK_BYTES = new URL("../support/peak-bytes.mjs", import.meta.url).href;
writeFileSync(
  at("peak.mjs"),
  `import { isMainThread } from "node:worker_threads";
   import { peakBytes } from ${JSON.stringify(PEAK_BYTES)};
   if (isMainThread)
     process.on("exit", () => process.stderr.write("peak: " + peakBytes()));`,
);

/** Runs the command and returns its peak memory in bytes. */
function peakOf(...args: string[]): number {
  const node = ["--import", at("peak.mjs"), "--max-old-space-size=64"];
  const { status, stderr } = spawnSync(
    process.execPath,
    [...node, CLI, ...args],
    { encoding: "utf8" },
  );
  expect(status, stderr).toBe(0);
  const peak = Number(/peak: (\d+)$/.exec(stderr)?.[1]);
  expect(peak).toBeGreaterThan(16 * MB);
  return peak;
}

/** Writes the header of an .npy file of float64, and a hole instead of its values. */
function sparse(name: string, rows: number, classes: number): string {
  const header = npy(new Float64Array(0), [rows, classes]);
  writeFileSync(at(name), header);
  truncateSync(at(name), header.byteLength + 8 * rows * classes);
  return at(name);
}

const wide = sparse("wide.npy", 100_000_000, 10);
const narrow = sparse("narrow.npy", 100_000_000, 2);
const parquet = fileURLToPath(
  new URL("../input/parquet/two-million-rows.parquet", import.meta.url),
);
const DENSE = ["--layout", "dense", "--force-dense"];
const OUT = ["-o", at("never.arrow"), "--dry-run"];
const DATASET = ["-o", `${at("never")}/`, "--dry-run"];
const COLUMNS = ["--columns", "logit_*"];

// Decoding Parquet needs memory for a row group, here of a million rows.
test.each<[string, number, string[]]>([
  ["inspect", 150, ["inspect", wide]],
  ["run --dry-run", 150, ["run", wide, ...OUT]],
  ["run --dry-run, dense", 150, ["run", narrow, ...OUT, ...DENSE]],
  ["tasks of a row", 150, ["run", narrow, ...OUT, "--chunk-rows", "1"]],
  ["run --dry-run of a dataset", 150, ["run", narrow, ...DATASET]],
  ["inspect of Parquet", 250, ["inspect", parquet, ...COLUMNS]],
  ["Parquet, dense", 250, ["run", parquet, ...OUT, ...COLUMNS, ...DENSE]],
])("memory does not grow with rows: %s (at most %d MiB)", (_, most, args) => {
  expect(peakOf(...args)).toBeLessThan(most * 2 ** 20);
});

const [few, many] = ["10000", "200000"];
test.each<[string, number, (rows: string) => string[]]>([
  // The larger file is 15 MB larger.
  ["generate", 12, (rows) => ["generate", at(`${rows}.arrow`), "--rows", rows]],
  // The larger output is 85 MB larger, its input 15 MB.
  [
    "run",
    20,
    (rows) => ["run", at(`${rows}.arrow`), "-o", at(`${rows}-out.arrow`)],
  ],
])(
  "peak memory of %s grows by less than %d MB with 190,000 rows",
  (name, most, args) => {
    const more =
      name === "run" ? ["--no-sync", "--threads", "2"] : ["--classes", "10"];
    const [least, peak] = [few, many].map((rows) =>
      peakOf(...args(rows), ...more),
    );
    expect(Number(peak) - Number(least)).toBeLessThan(most * MB);
  },
);
