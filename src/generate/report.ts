import { peakMemoryBytes } from "../io/peak-memory.js";
import type { LogitsKind } from "./logits-kinds.js";
import type { ResolvedGenerateOptions } from "./options.js";

/** Report of `generate`: its return value, or `report` of its error. */
export interface GenerateReport {
  softjac: string;
  status: "done" | "failed";
  output: string;
  kind: LogitsKind;
  /** Standard deviation for kind normal, else null. */
  scale: number | null;
  seed: number;
  dtype: "float32" | "float64";
  rows: number;
  classes: number;
  /** Rows written; all rows if done. */
  rowsDone: number;
  outputBytes: number;
  recordBatches: number;
  /** Duration of the call, in milliseconds. */
  durationMs: number;
  rowsPerSecond: number;
  /** Peak resident memory of the process, in bytes. */
  peakMemoryBytes: number;
}

/** How far it came since `start` (of performance.now). */
export interface GenerateProgress {
  rowsDone: number;
  outputBytes: number;
  recordBatches: number;
  start: number;
}

export function generateReport(
  version: string,
  status: GenerateReport["status"],
  options: ResolvedGenerateOptions,
  { rowsDone, outputBytes, recordBatches, start }: GenerateProgress,
): GenerateReport {
  const { output, kind, scale, seed, dtype, rows, classes } = options;
  const durationMs = performance.now() - start;
  return {
    softjac: version,
    status,
    output,
    kind,
    scale: kind === "normal" ? scale : null,
    seed,
    dtype,
    rows,
    classes,
    rowsDone,
    outputBytes,
    recordBatches,
    durationMs,
    rowsPerSecond: (rowsDone / durationMs) * 1000,
    peakMemoryBytes: peakMemoryBytes(),
  };
}
