import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();

/** Prints the peak memory of the process when it ends, in bytes. */
const PRINT_PEAK = `process.on("exit", () => process.stderr.write("peak: " + 1024 * process.resourceUsage().maxRSS));`;

/** Runs the command, and returns its peak memory in bytes. */
function peakOf(...args: string[]): number {
  const preload = `data:text/javascript,${encodeURIComponent(PRINT_PEAK)}`;
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", preload, CLI, ...args],
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

test("the peak memory of generate does not grow with its rows", () => {
  const classes = ["--classes", "10"];
  const [least, most] = [
    peakOf("generate", small, ...few, ...classes),
    peakOf("generate", large, ...many, ...classes),
  ];
  expect(least).toBeGreaterThan(2 ** 24);
  // The larger file has 15 MB more.
  expect(most - least).toBeLessThan(12e6);
});

test("the peak memory of a run does not grow with its rows", () => {
  const options = ["--no-sync", "--threads", "2"];
  const [least, most] = [
    peakOf("run", small, "-o", at("small.arrow"), ...options),
    peakOf("run", large, "-o", at("large.arrow"), ...options),
  ];
  expect(least).toBeGreaterThan(2 ** 24);
  // The larger output has 85 MB more, its input 15 MB.
  expect(most - least).toBeLessThan(20e6);
});
