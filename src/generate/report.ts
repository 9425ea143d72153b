import type { CallCost, startClock } from "../io/report-clock.js";
import { VERSION } from "../version.js";
import type { LogitsKind } from "./logits-kinds.js";
import type { ResolvedGenerateOptions } from "./options.js";

/** Report of `generate`: its return value, or `report` of its error. */
export interface GenerateReport extends CallCost {
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
}

/** Progress of a call. */
export interface GenerateProgress {
  rowsDone: number;
  outputBytes: number;
  recordBatches: number;
  cost: ReturnType<typeof startClock>;
}

export function generateReport(
  status: GenerateReport["status"],
  options: ResolvedGenerateOptions,
  { rowsDone, outputBytes, recordBatches, cost }: GenerateProgress,
): GenerateReport {
  const { output, kind, scale, seed, dtype, rows, classes } = options;
  return {
    softjac: VERSION,
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
    ...cost(rowsDone),
  };
}
