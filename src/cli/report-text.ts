import type { CalibrateReport } from "../calibrate/calibrate.js";
import type { GenerateReport } from "../generate/generate.js";
import type { Inspection, ValueScan } from "../inspect/inspect.js";
import { messageText, shortList, shortName } from "../printable.js";
import type { ReduceReport } from "../reduce/reduce.js";
import type { OutputReport } from "../report/output-report.js";
import type { DryRun, OutputSize } from "../run/dry-run.js";
import type { RunReport } from "../run/run-report.js";
import type { ByteComparison } from "../verify/compare-bytes.js";
import type { VerifyReport } from "../verify/verify.js";
import {
  aligned,
  bytes,
  count,
  duration,
  exactBytes,
  more,
  numberOf,
  type TextRow,
  timeAndRates,
  titled,
} from "./format.js";

/** Formats the report of a run. */
export function runText(report: RunReport): string {
  const { output, entries, badRows } = report;
  const dropped = `largest dropped ${report.droppedMax?.toPrecision(3)}`;
  const slower = "plain JavaScript (slower, same bits)";
  const first = `first at row ${report.firstBadRow}`;
  return titled(output === "-" ? "standard output" : output, [
    ["rows", sizeOf(report)],
    ["results", `${names(report.emit)} (${report.layout}, ${report.dtype})`],
    ["bytes", exactBytes(report.outputBytes)],
    ["time", timeAndRates(report, report.outputBytes)],
    ["entries", entries === null ? "" : `${count(entries)}, ${dropped}`],
    ["kernel", report.kernel === "plain" ? slower : ""],
    ["bad rows", badRows > 0 ? `${count(badRows)}, ${first}` : ""],
  ]);
}

/** Formats the report of reduce. */
export function reduceText(report: ReduceReport): string {
  const { terms, groups, badRows, firstBadRow } = report;
  const first = `first at row ${firstBadRow?.row} of ${firstBadRow?.input}`;
  return titled(report.output, [
    ["rows", sizeOf(report)],
    ["features", terms.length > 0 ? names(terms) : ""],
    ["results", names(report.emit)],
    ["groups", groups > 1 ? count(groups) : ""],
    ["bytes", exactBytes(report.outputBytes)],
    ["time", timeAndRates(report, report.outputBytes)],
    ["bad rows", badRows > 0 ? `${count(badRows)}, ${first}` : ""],
  ]);
}

/** Formats the report of calibrate. */
export function calibrateText(report: CalibrateReport): string {
  const { temperature, std_error, badRows, nll, ece, brier } = report;
  const change = ({ before, after }: typeof nll) =>
    `${before.toPrecision(4)} before, ${after.toPrecision(4)} after`;
  return titled(`T = ${temperature.toPrecision(5)}`, [
    ["standard error", std_error.toPrecision(3)],
    ["rows", sizeOf(report)],
    ["NLL", change(nll)],
    ["ECE (15 bins)", change(ece)],
    ["Brier score", change(brier)],
    ["bad rows", badRows > 0 ? `${count(badRows)}, left out` : ""],
    [
      "time",
      `${duration(report.durationMs)}, ${numberOf(report.passes, "pass", "passes")}`,
    ],
    ["written", report.output ?? ""],
  ]);
}

/** Formats the report of generate. */
export function generateText(report: GenerateReport): string {
  const { kind, scale, seed, dtype } = report;
  const law = scale === null ? kind : `${kind}, scale ${scale}`;
  return titled(report.output, [
    ["rows", sizeOf(report)],
    ["logits", `${law}, seed ${seed} (${dtype})`],
    ["bytes", exactBytes(report.outputBytes)],
    ["time", timeAndRates(report, report.outputBytes)],
  ]);
}

function sizeOf({ rows, classes }: { rows: number; classes: number }): string {
  return `${count(rows)} x ${numberOf(classes, "class", "classes")}`;
}

/** Formats the report of an HTML page. */
export function outputReportText(report: OutputReport): string {
  const { summary, calibration, results } = report;
  const { rowsWithResults, classes, layout } = summary;
  const lost = report.confidence.uncertainty;
  const saturated =
    lost &&
    `${count(lost.lostFloat32)} rows whose 1 - p is 0 in float32, ${count(lost.lostFloat64)} in float64`;
  const { ece, nll, brier } = calibration ?? { ece: null };
  const measures = `NLL ${nll?.toPrecision(4) ?? "infinite"}, Brier score ${brier?.toPrecision(3)}`;
  const shows = `${results}: ${count(rowsWithResults)} rows of ${count(classes)} classes, ${layout}`;
  return titled(report.output, [
    ["page", bytes(report.outputBytes)],
    ["shows", shows],
    ["saturated", saturated ?? ""],
    [
      "calibration",
      ece === null ? "" : `ECE ${ece.toPrecision(3)}, ${measures}`,
    ],
    ["time", duration(report.durationMs)],
  ]);
}

/** Formats a dry run. */
export function dryRunText(plan: DryRun): string {
  const { storage, sourceDtype, classes, blockRowsPerTile, slots } = plan;
  const { outputBytes, recordBatches, largestBodyBytes, chunks } = plan;
  const storedAs = `column ${plan.column} (${storage}, ${sourceDtype})`;
  const results = `${names(plan.emit)} (${plan.layout}, ${plan.dtype})`;
  const bytesOfFile =
    outputBytes === null
      ? `at most ${bytes(plan.maxOutputBytes)}`
      : `${count(outputBytes)} bytes (${bytes(outputBytes)})`;
  const tiles =
    blockRowsPerTile < classes
      ? `, each Jacobian block in tiles of ${count(blockRowsPerTile)} rows`
      : "";
  const batches =
    recordBatches === null || largestBodyBytes === null
      ? `of at most ${count(plan.rowsPerRecordBatch)} table rows`
      : `${count(recordBatches)} of ${count(plan.rowsPerRecordBatch)} rows, bodies up to ${bytes(largestBodyBytes)}`;
  const ofChunks =
    chunks === null
      ? `of at most ${count(plan.rowsPerChunk)} rows`
      : `${count(chunks)} of ${count(plan.rowsPerChunk)} rows, in row blocks of ${count(plan.rowsPerRowBlock)}${tiles}`;
  const threads =
    plan.threads === 0 ? "none (small input)" : count(plan.threads);
  const ofSlots = `${count(slots)} ${slots === 1 ? "slot" : "slots"} of ${bytes(plan.slotBytes)}`;
  const text = titled(`${plan.output} (dry run: nothing is written)`, [
    ["input", `${plan.input}, ${bytes(plan.inputBytes)}, ${storedAs}`],
    ["rows", sizeOf(plan)],
    ["output", `${results}, ${bytesOfFile}`],
    ["record batches", batches],
    ["chunks", ofChunks],
    ["threads", threads],
    ["memory", `${bytes(plan.memoryBytes)}: ${ofSlots}`],
  ]);
  return `${text}\n  columns, bytes per row and in all:\n${sizes(plan.columns)}\n  layouts, bytes per row and in all:\n${sizes(plan.layouts)}`;
}

/** Formats a table of names, bytes per row and bytes in all. */
function sizes(found: readonly OutputSize[]): string {
  return aligned(
    found.map(({ name, bytesPerRow, bytes, exact }) => [
      name,
      [bytesPerRow, bytes]
        .map((n) => `${exact ? "" : "at most "}${count(n)}`.padStart(24))
        .join(""),
    ]),
  );
}

function names(emit: readonly string[]): string {
  const more = emit.length - 5;
  return more > 0
    ? `${emit.slice(0, 5).join(", ")} and ${more} more`
    : emit.join(", ");
}

const FORMATS: Record<Inspection["format"], string> = {
  "arrow-file": "Arrow IPC file",
  "arrow-stream": "Arrow IPC stream",
  parquet: "Parquet file",
  npy: "NumPy array",
  npz: "NumPy archive",
  safetensors: "safetensors",
};

const MAX_COLUMNS = 12;

/** Formats the report of inspect. */
export function inspectText(found: Inspection): string {
  const { compression, batches, largestBatchRows, logits, columns } = found;
  const problem = found.noLogitsReason?.replace(`${found.input}: `, "");
  const format = [FORMATS[found.format], ...compression, bytes(found.bytes)];
  const batchRows = `batches of at most ${count(largestBatchRows ?? 0)}`;
  const inBatches =
    batches === null || largestBatchRows === null
      ? ""
      : ` in ${count(batches)} ${batches === 1 ? "batch" : batchRows}`;
  const shown = columns.slice(0, MAX_COLUMNS).map(({ name, type, reason }) => {
    const isNew = !logits && reason !== null && reason !== problem;
    return `${shortName(name)}: ${type}${isNew ? ` (${reason})` : ""}`;
  });
  if (columns.length > MAX_COLUMNS)
    shown.push(`${count(columns.length - MAX_COLUMNS)} more`);
  const text = titled(found.input, [
    ["format", format.join(", ")],
    ["rows", count(found.rows) + inBatches],
    ...shown.map((line, k): TextRow => [k === 0 ? "columns" : "", line]),
    [
      "logits",
      logits
        ? `${shortName(logits.column)} (${logits.storage}, ${logits.dtype}), ${count(logits.classes)} classes`
        : `none: ${problem}`,
    ],
    ...(found.values ? valueRows(found.values) : []),
  ]);
  if (!logits) return text;
  return `${text}\n  output of softmax and jacobian, bytes per row and in all:\n${sizes(found.layouts)}`;
}

function valueRows(values: ValueScan): TextRow[] {
  const { min, max, maskedLogits, badRows, firstBadRow } = values;
  const masked = more(maskedLogits, "masked (-inf)");
  const bad = `${count(badRows)}, first at row ${firstBadRow}`;
  return [
    ["values", min === null ? "no finite logits" : `${min} to ${max}${masked}`],
    ["bad rows", firstBadRow === null ? "none" : bad],
  ];
}

/** Formats the report of verify. */
export function verifyText(report: VerifyReport): string {
  const { rows, rowsChecked, notCompared, otherProblems, bytes } = report;
  const time = duration(report.durationMs);
  const others = shortList(notCompared, shortName);
  const columns = report.columns.map((column): TextRow => {
    const { name, ok, maxError, bound, unit } = column;
    const largest = `${digits(maxError)} ${unit} (bound ${digits(bound)})`;
    return [
      name,
      `${mark(ok)} largest error ${largest}, mean ${digits(column.meanRelativeErrorPercent)} %`,
    ];
  });
  const recomputed = `${count(rowsChecked)} of ${count(rows)} recomputed in ${time}`;
  const text = titled(`${report.output}: ${report.ok ? "OK" : "FAILED"}`, [
    ["rows", recomputed + more(report.badRows, "bad")],
    ...columns,
    ["not compared", others && (bytes ? others : `${others} (use --all)`)],
    ["bytes", bytes ? bytesText(bytes) : ""],
  ]);
  const problems = [...report.problems];
  if (otherProblems > 0)
    problems.push(`and ${count(otherProblems)} more errors`);
  return text + problems.map((text) => `  ${messageText(text)}\n`).join("");
}

function bytesText({ message, compared }: ByteComparison): string {
  if (message === null) return "ok  all are identical to a new run";
  return compared ? "BAD differ from a new run, see below" : message;
}

function mark(ok: boolean): string {
  return ok ? "ok " : "BAD";
}

function digits(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}
