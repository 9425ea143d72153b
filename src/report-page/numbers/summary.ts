import type { FoundResults } from "../../output-rows/find-results.js";
import type { GatheredResults } from "../gather/gather-results.js";
import type { ResolvedReportOptions } from "../options.js";
import type { SummaryNumbers } from "../output-report.js";
import { toldOfRun, toldOfVerification } from "./told-reports.js";

/** What the reports that options name say; read first, so that a wrong one is told at once. @throws SoftjacError */
export function toldReports({
  runReport,
  verifyReport,
}: ResolvedReportOptions): Pick<SummaryNumbers, "run" | "verified"> {
  return {
    run: runReport === undefined ? null : toldOfRun(runReport),
    verified:
      verifyReport === undefined ? null : toldOfVerification(verifyReport),
  };
}

export function summaryNumbers(
  { parts, manifest }: FoundResults,
  { first, gathered, inputs, bytes, rows }: GatheredResults,
  told: Pick<SummaryNumbers, "run" | "verified">,
): SummaryNumbers {
  const { run, sources, copiedColumns, softjac } = first;
  const { examples, badRows, withoutP, entries } = gathered;
  const numberOrNull = (value: number) => (Number.isNaN(value) ? null : value);
  return {
    kind: manifest ? "dataset" : "file",
    writtenBy: softjac,
    sources: inputs,
    shards: parts.length,
    layout: run.layout,
    emit: [...run.emit],
    dtype: run.dtype,
    temperature: run.temperature,
    threshold: run.threshold,
    topK: run.topK || null,
    classes: run.classes,
    rows,
    rowsWithResults: examples - badRows,
    badRows,
    rowsSkipped: rows - examples,
    rowsWithoutP: sources.p ? withoutP : examples - badRows,
    bytes,
    entries: sources.jacobian === "entries" ? entries : null,
    droppedMax: numberOrNull(gathered.droppedMax),
    droppedSum: numberOrNull(gathered.droppedSum),
    copiedColumns: copiedColumns.map(({ name, type }) => ({ name, type })),
    skippedInputs: [...(manifest?.leftOut ?? [])],
    from: sources,
    ...told,
  };
}
