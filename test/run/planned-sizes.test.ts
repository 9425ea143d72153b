import { spawnSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import {
  type RunOptions,
  resolveOptions,
} from "../../src/options/run-options.js";
import { planFixed } from "../../src/run/fixed-plan.js";
import { chunksOf } from "../../src/run/fixed-rows.js";
import { openOptions } from "../../src/run/open-options.js";
import { CLI } from "../cli/support.js";
import { npy } from "../support/array-files.js";
import { KEPT, writeKept } from "../support/kept-input.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

// Sizes computed by arithmetic equal those of the listed plan, in memory that does not depend on the rows.

const at = workDirectory();
const kept = at("kept.arrow");
writeKept(kept, 20);

const written = new Set<string>();
function logitsFile(rows: number, classes: number): string {
  const path = at(`${rows}x${classes}.arrow`);
  if (!written.has(path)) writeLogits(path, { rows, classes, logit: () => 0 });
  written.add(path);
  return path;
}

const plain = fc
  .record({
    rows: fc.constantFrom(0, 1, 2, 63, 64, 65, 130, 700, 2000),
    classes: fc.constantFrom(1, 2, 7, 20),
  })
  .map(({ rows, classes }) => ({ input: logitsFile(rows, classes) }));
const withKept = fc
  .subarray(Object.keys(KEPT))
  .map((keep) => ({ input: kept, keep }));

const anyRun = fc.record({
  file: fc.oneof(plain, withKept),
  layout: fc.constantFrom("bsr", "packed", "factored", "dense"),
  dtype: fc.constantFrom(undefined, "float32", "float64"),
  onBadRow: fc.constantFrom("error", "null", "skip"),
  threads: fc.integer({ min: 1, max: 4 }),
  chunkRows: fc.constantFrom(undefined, 1, 3, 64),
  maxBatchRows: fc.constantFrom(undefined, 1, 7, 20, 64, 100),
  skipped: fc.uniqueArray(fc.nat(60), { maxLength: 5 }),
});

test("arithmetic gives the sizes and counts of the plan that lists all record batches and tasks", async () => {
  await fc.assert(
    fc.asyncProperty(
      anyRun,
      async ({ file, maxBatchRows, skipped, ...given }) => {
        const options = resolveOptions({
          output: at("out.arrow"),
          forceDense: true,
          ...file,
          ...(given as Partial<RunOptions>),
        });
        const logits = await openLogits(file.input, openOptions(options));
        try {
          const leftOut = skipped.filter((row) => row < logits.rows);
          const rows = leftOut.sort((a, b) => a - b);
          const job = planFixed(options, logits, rows, maxBatchRows);
          const { layout } = job;
          if (rows.length === 0) expect(job.maxBytes).toBe(layout.bytes);
          expect(job).toMatchObject({
            maxBytes: layout.bytes,
            largestBodyBytes: Math.max(
              0,
              ...layout.batches.map(({ bodyBytes }) => bodyBytes),
            ),
          });
          const chunks = layout.batches.flatMap((_, k) => chunksOf(job, k));
          expect(job.chunkCount).toBe(chunks.length);
          const shapes = [...job.shapes()].flatMap(({ shape, count }) =>
            Array.from({ length: count }, () => shape),
          );
          expect(shapes).toEqual(layout.batches.map(({ shape }) => shape));
        } finally {
          logits.close();
        }
      },
    ),
    { numRuns: 400 },
  );
});

/** Writes the header of an .npy file of float64, and a hole instead of its values. */
function sparse(name: string, rows: number, classes: number): string {
  const header = npy(new Float64Array(0), [rows, classes]);
  writeFileSync(at(name), header);
  truncateSync(at(name), header.byteLength + 8 * rows * classes);
  return at(name);
}

/** Peaks are in MiB. */
const PEAK_BYTES = new URL("../support/peak-bytes.mjs", import.meta.url).href;
const wide = sparse("wide.npy", 100_000_000, 10);
const narrow = sparse("narrow.npy", 100_000_000, 2);
const parquet = fileURLToPath(
  new URL("../input/parquet/two-million-rows.parquet", import.meta.url),
);
writeFileSync(
  at("peak.mjs"),
  `import { writeFileSync } from "node:fs";
   import { isMainThread } from "node:worker_threads";
   import { peakBytes } from ${JSON.stringify(PEAK_BYTES)};
   const peak = () => String(peakBytes() / 2 ** 20);
   if (isMainThread)
     process.on("exit", () => writeFileSync(process.env.PEAK_FILE, peak()));`,
);
const DENSE = ["--layout", "dense", "--force-dense"];
const OUT = ["-o", at("never.arrow"), "--dry-run"];
const DATASET = ["-o", `${at("never")}/`, "--dry-run"];
const COLUMNS = ["--columns", "logit_*"];

// Decoding Parquet needs memory for a row group, here of a million rows.
test.each<[string, number, string[]]>([
  ["inspect", 150, ["inspect", narrow]],
  ["inspect of ten classes", 150, ["inspect", wide]],
  ["run --dry-run", 150, ["run", wide, ...OUT]],
  ["run --dry-run, dense", 150, ["run", narrow, ...OUT, ...DENSE]],
  [
    "run --dry-run, tasks of a row",
    150,
    ["run", narrow, ...OUT, "--chunk-rows", "1"],
  ],
  ["run --dry-run of a dataset", 150, ["run", narrow, ...DATASET]],
  ["inspect of Parquet", 250, ["inspect", parquet, ...COLUMNS]],
  [
    "run --dry-run of Parquet, dense",
    250,
    ["run", parquet, ...OUT, ...COLUMNS, ...DENSE],
  ],
])("memory does not grow with rows: %s (at most %d MB)", (_, most, args) => {
  const peakFile = at("peak");
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", at("peak.mjs"), "--max-old-space-size=64", CLI, ...args],
    { encoding: "utf8", env: { ...process.env, PEAK_FILE: peakFile } },
  );
  expect(status, stderr).toBe(0);
  const peak = Number(readFileSync(peakFile, "utf8"));
  expect(peak).toBeGreaterThan(10);
  expect(peak).toBeLessThan(most);
});
