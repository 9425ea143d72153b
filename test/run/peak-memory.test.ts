import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();

/** Preload that prints the peak memory of the process in bytes when it ends. */
const PRINT_PEAK = at("print-peak.mjs");
const PEAK_BYTES = new URL("../support/peak-bytes.mjs", import.meta.url).href;
writeFileSync(
  PRINT_PEAK,
  `import { isMainThread } from "node:worker_threads";
   import { peakBytes } from ${JSON.stringify(PEAK_BYTES)};
   if (isMainThread)
     process.on("exit", () => process.stderr.write("peak: " + peakBytes()));`,
);

/** Runs the command and returns its peak memory in bytes. */
function peakOf(...args: string[]): number {
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", PRINT_PEAK, CLI, ...args],
    { encoding: "utf8" },
  );
  expect(status, stderr).toBe(0);
  const [, peak] = /peak: (\d+)$/.exec(stderr) ?? [];
  return Number(peak);
}

const few = ["--rows", "10000"];
const many = ["--rows", "200000"];
const small = at("10000.arrow");
const large = at("200000.arrow");

test("peak memory of generate does not grow with the rows", () => {
  const classes = ["--classes", "10"];
  const [least, most] = [
    peakOf("generate", small, ...few, ...classes),
    peakOf("generate", large, ...many, ...classes),
  ];
  expect(least).toBeGreaterThan(2 ** 24);
  // The larger file is 15 MB larger.
  expect(most - least).toBeLessThan(12e6);
});

test("peak memory of a run does not grow with the rows", () => {
  const options = ["--no-sync", "--threads", "2"];
  const [least, most] = [
    peakOf("run", small, "-o", at("small.arrow"), ...options),
    peakOf("run", large, "-o", at("large.arrow"), ...options),
  ];
  expect(least).toBeGreaterThan(2 ** 24);
  // The larger output is 85 MB larger, its input 15 MB.
  expect(most - least).toBeLessThan(20e6);
});
