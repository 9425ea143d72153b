import { basename } from "node:path";
import { AbortedError } from "../errors.js";
import { whileUnchanged } from "../input/input-state.js";
import { interpreting } from "../input/interpreting.js";
import { startClock } from "../io/report-clock.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import { writeWhole } from "../output/commit.js";
import { checkOutput, HTML } from "../output/written-files.js";
import { type FoundResults, findResults } from "../show/find-results.js";
import { VERSION } from "../version.js";
import { type CollectedResults, collectResults } from "./numbers/collect.js";
import { shownRows } from "./numbers/rows.js";
import { summaryNumbers } from "./numbers/summary.js";
import type {
  OutputReport,
  PageNumbers,
  ReportOptions,
  ResolvedReportOptions,
} from "./output-report.js";

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
  const numbers = await whileUnchanged(paths, async () => {
    const collected = await collectResults(results, resolved, hooks);
    return interpreting(resolved.results, "results", () =>
      pageNumbers(results, collected, resolved),
    );
  });
  // Loads the drawing libraries only now.
  const { drawPage } = await import("./page/page.js");
  const page = drawPage(numbers);
  if (hooks.signal?.aborted)
    throw new AbortedError({ cause: hooks.signal.reason });
  const outputBytes = await writePage(resolved, page);
  const { durationMs, peakMemoryBytes } = cost(0);
  return { ...numbers, outputBytes, durationMs, peakMemoryBytes };
}

/** Computes the numbers on the page. */
export async function pageNumbers(
  results: FoundResults,
  collectedResults: CollectedResults,
  { results: path, output, title, label }: ResolvedReportOptions,
): Promise<PageNumbers> {
  const { first, collected, pairs, shown } = collectedResults;
  const { sources } = first;
  const { classes, confidence, calibration, mostUncertain } = collected;
  const isLabelled = label !== undefined;
  return {
    softjac: VERSION,
    status: "done",
    results: path,
    output,
    title,
    summary: summaryNumbers(results, collectedResults),
    confidence: confidence.numbers(sources),
    calibration: isLabelled ? calibration.numbers(label, sources) : null,
    classes: classes.numbers(pairs, shown, sources, isLabelled),
    rows: await shownRows(results, mostUncertain.items, first),
  };
}

/** Writes the whole page and returns its size in bytes. @throws OutputExistsError, IoError, PermissionError */
async function writePage(
  { output: path, force, sync }: ResolvedReportOptions,
  page: string,
): Promise<number> {
  const bytes = new TextEncoder().encode(page);
  await writeWhole(path, bytes, { force, sync });
  return bytes.byteLength;
}
