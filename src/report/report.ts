import { basename } from "node:path";
import { AbortedError } from "../errors.js";
import { whileUnchanged } from "../input/input-state.js";
import { startClock } from "../io/report-clock.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import { writeWhole } from "../output/commit.js";
import { checkOutput, HTML } from "../output/written-files.js";
import { findResults } from "../show/find-results.js";
import { collectNumbers } from "./numbers/collect.js";
import type { OutputReport, ReportOptions } from "./output-report.js";

/**
 * Writes an HTML page about an output: confidence, calibration, classes and single rows. The page is a single file of
 * at most 3 MB, which appears only once it is complete. The output is read sequentially in bounded memory.
 *
 * @returns the numbers on the page
 * @throws SoftjacError if the output cannot be read, or the page cannot be written
 */
export async function report(
  options: ReportOptions,
  hooks: RunHooks = {},
): Promise<OutputReport> {
  checkHooks(hooks);
  const cost = startClock();
  const resolved = {
    ...resolve("report", options),
    title: options.title ?? basename(options.results),
  };
  const { output, force } = resolved;
  const inputs = [resolved.results];
  checkOutput({ path: output, force, format: HTML, inputs });
  const results = findResults(resolved.results);
  const paths = results.parts.map(({ path }) => path);
  const numbers = await whileUnchanged(paths, () =>
    collectNumbers(results, resolved, hooks),
  );
  // Loads the drawing libraries only now.
  const { drawPage } = await import("./page/page.js");
  const page = new TextEncoder().encode(drawPage(numbers));
  if (hooks.signal?.aborted)
    throw new AbortedError({ cause: hooks.signal.reason });
  await writeWhole(output, page, resolved);
  const { durationMs, peakMemoryBytes } = cost(0);
  const outputBytes = page.byteLength;
  return { ...numbers, outputBytes, durationMs, peakMemoryBytes };
}
