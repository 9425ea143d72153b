import type { LogitsFile } from "../input/logits-file.js";
import type { DirectTarget } from "../io/write-or-compare.js";
import type { ResolvedOptions } from "../options/run-options.js";
import type { ArrowWriter } from "../output/arrow-writer.js";
import type { OutputTarget } from "../output/output-target.js";
import type { TaskPool } from "../pool/worker-pool.js";
import { axesOf } from "../results/row-axes.js";
import type { KernelMemory } from "../tasks/kernel-memory.js";
import type { WorkerContext } from "../tasks/run-tasks.js";
import type { SlotLayout } from "../tasks/slot-layout.js";
import type { RunPlan } from "./run-plan.js";
import type { ReportBuilder } from "./run-report.js";

/** Everything that a writer needs besides the plan. */
export interface RunContext {
  options: ResolvedOptions;
  logits: LogitsFile;
  output: OutputTarget;
  writer: ArrowWriter;
  report: ReportBuilder;
  pool: TaskPool;
  /** Memory of the slots. */
  buffer: ArrayBufferLike;
  signal?: AbortSignal | undefined;
  onProgress: () => void;
}

/** Reports written bytes to the report and to the writer. */
export function countWritten(
  { report, writer }: RunContext,
  bytes: number,
): void {
  report.bytesDone += bytes;
  writer.reportWritten(bytes);
}

/** Returns the settings of a run that workers need. */
export function workerContext(
  plan: RunPlan,
  logits: LogitsFile,
  { fd, direct, compare }: DirectTarget,
  memory: KernelMemory,
  temperature: number,
): WorkerContext {
  const { results, classes, loadRows, rowBlockSize, tileRows, onBadRow } = plan;
  return {
    ...readingContext(logits, plan.slot, memory),
    output: { fd, direct, compare },
    ...{ results, classes, loadRows, rowBlockSize, tileRows, onBadRow },
    temperature,
    entries: plan.kind === "entries" ? plan.setup : null,
  };
}

/** Returns the settings of workers for reading rows of an input into slots. */
export function readingContext(
  logits: LogitsFile,
  slot: SlotLayout,
  memory: KernelMemory,
) {
  return {
    ...memory,
    slot,
    sourceFd: logits.fd,
    sourcePresent: logits.present?.toShare() ?? null,
    axes: axesOf(logits),
    sources: logits.sources,
    model: logits.model,
    maskNulls: logits.nullLogit === "mask",
  };
}
