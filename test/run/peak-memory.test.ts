import { rmSync } from "node:fs";
import { expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();

/** Peak memory of a run over so many rows, in bytes. */
async function peakOf(rows: number): Promise<number> {
  const [input, output] = [at(`${rows}.arrow`), at("out.arrow")];
  await built.generate({ output: input, rows, classes: 10, seed: 1 });
  const options = ["--no-sync", "--threads", "2", "--json"];
  const { status, stdout } = softjac("run", input, "-o", output, ...options);
  expect(status).toBe(0);
  rmSync(output);
  return JSON.parse(stdout).peakMemoryBytes;
}

test("the peak memory of a run does not grow with its rows", async () => {
  const few = await peakOf(10_000);
  const many = await peakOf(100_000);
  expect(few).toBeGreaterThan(2 ** 24);
  // The larger output has 40 MB more, its input 4 MB.
  expect(many - few).toBeLessThan(20e6);
});
