import { checkHooks } from "../check-options.js";
import { AbortedError } from "../errors.js";
import { whileUnchanged } from "../input/input-state.js";
import { interpreting } from "../input/interpreting.js";
import { startClock } from "../io/report-clock.js";
import { HTML } from "../output/output-name.js";
import { checkOutput } from "../output/written-files.js";
import { type FoundResults, findResults } from "../output-rows/find-results.js";
import type { RunHooks } from "../run.js";
import { VERSION } from "../version.js";
import {
  type GatheredResults,
  gatherResults,
} from "./gather/gather-results.js";
import { calibrationNumbers } from "./numbers/calibration.js";
import { certaintyNumbers } from "./numbers/certainty.js";
import { classNumbers } from "./numbers/classes.js";
import { shownRows } from "./numbers/shown-rows.js";
import { summaryNumbers, toldReports } from "./numbers/summary.js";
import {
  type ReportOptions,
  type ResolvedReportOptions,
  resolveReportOptions,
} from "./options.js";
import type { OutputReport } from "./output-report.js";
import { writePage } from "./write-page.js";

/**
 * Writes an HTML page about an output: confidence, calibration, classes and single rows. The page is a single file
 * of at most 3 MB. The output is read sequentially in bounded memory. The page is complete or absent, whatever happens.
 *
 * @returns the numbers behind the page
 * @throws SoftjacError if the output or a report cannot be read, or the page cannot be written
 */
export async function report(
  options: ReportOptions,
  hooks: RunHooks = {},
): Promise<OutputReport> {
  checkHooks(hooks);
  const cost = startClock();
  const resolved = resolveReportOptions(options);
  const { output, force, runReport, verifyReport } = resolved;
  checkOutput({
    path: output,
    force,
    format: HTML,
    inputs: [resolved.results, runReport, verifyReport].filter(
      (path) => path !== undefined,
    ),
  });
  const told = toldReports(resolved);
  const results = findResults(resolved.results);
  const paths = results.parts.map(({ path }) => path);
  const numbers = await whileUnchanged(paths, async () => {
    const found = await gatherResults(results, resolved, hooks);
    return interpreting(resolved.results, "results", () =>
      numbersOf(results, found, resolved, told),
    );
  });
  // Drawing takes a library that nothing else needs.
  const { drawPage } = await import("./drawing/page.js");
  const page = drawPage(numbers);
  if (hooks.signal?.aborted)
    throw new AbortedError({ cause: hooks.signal.reason });
  const outputBytes = await writePage(resolved, page);
  const { durationMs, peakMemoryBytes } = cost(0);
  return { ...numbers, outputBytes, durationMs, peakMemoryBytes };
}

/** What the page shows. */
export type PageNumbers = Omit<
  OutputReport,
  "outputBytes" | "durationMs" | "peakMemoryBytes"
>;

async function numbersOf(
  results: FoundResults,
  found: GatheredResults,
  { results: path, output, title, label }: ResolvedReportOptions,
  told: ReturnType<typeof toldReports>,
): Promise<PageNumbers> {
  const { first, gathered, jacobian, shown } = found;
  const { run, sources } = first;
  const { classes, certainty, calibration, withoutP } = gathered;
  return {
    softjac: VERSION,
    status: "done",
    results: path,
    output,
    title,
    summary: summaryNumbers(results, found, told),
    confidence: certaintyNumbers(certainty, sources, withoutP),
    calibration:
      label === undefined
        ? null
        : calibrationNumbers(label, calibration, sources),
    classes: classNumbers(
      run,
      classes,
      jacobian,
      shown,
      sources,
      label !== undefined,
    ),
    rows: await shownRows(results, gathered, first),
  };
}
