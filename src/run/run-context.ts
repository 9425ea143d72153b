import { numberWidth } from "../arrow/field.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { DirectTarget } from "../io/write-or-compare.js";
import type { ResolvedOptions } from "../options/run-options.js";
import type { OutputTarget } from "../output/output-target.js";
import type { TaskPool } from "../pool/worker-pool.js";
import { axesOf } from "../results/row-indices.js";
import type { KernelMemory } from "../tasks/kernel-memory.js";
import type { SourceSetup, WorkerContext } from "../tasks/run-tasks.js";
import type { Job } from "./plan-job.js";
import type { ReportBuilder } from "./run-report.js";

/** Everything that a writer needs besides the plan. */
export interface RunContext {
  options: ResolvedOptions;
  logits: LogitsFile;
  output: OutputTarget;
  report: ReportBuilder;
  pool: TaskPool;
  /** Memory of the slots. */
  buffer: ArrayBufferLike;
  signal?: AbortSignal | undefined;
  onProgress: () => void;
}

/** Reports written bytes to the report and to the output. */
export function countWritten(
  { report, output }: RunContext,
  bytes: number,
): void {
  report.bytesDone += bytes;
  output.reportWritten(bytes);
}

/** Returns the settings of a run that workers need. */
export function workerContext(
  job: Job,
  logits: LogitsFile,
  { fd, direct, compare, ring = null }: DirectTarget,
  memory: KernelMemory,
  temperature: number,
): WorkerContext {
  const { slot, results, plan } = job;
  const { chunkRows } = plan;
  return {
    ...memory,
    slotBytes: slot.bytes,
    slot,
    sourceFd: logits.fd,
    sourcePresent: logits.present?.toShare() ?? null,
    output: { fd, direct, compare, ring },
    axes: axesOf(logits),
    classes: logits.classes,
    temperature,
    sources: [
      {
        name: logits.column,
        storage: logits.storage,
        type: logits.type,
        width: numberWidth(logits.type),
        values: logits.classes,
        holds: "logits",
        fd: logits.decodedFds[0] ?? null,
      },
      ...logits.inputs.map(
        ({ option, ...input }, n): SourceSetup => ({
          ...input,
          fd: logits.decodedFds[n + 1] ?? null,
          holds:
            option === "label" || option === "classColumn"
              ? "class"
              : "numbers",
        }),
      ),
    ],
    results,
    ...(job.kind === "entries"
      ? {
          loadRows: chunkRows,
          rowBlockSize: chunkRows,
          tileRows: logits.classes,
          entries: job.setup,
        }
      : {
          loadRows: job.plan.loadRows,
          rowBlockSize: job.plan.rowBlockSize,
          tileRows: job.plan.tileRows,
          entries: null,
        }),
    maskNulls: logits.nullLogit === "mask",
    stopAtBadRow: job.onBadRow === "error",
    skipBadRows: job.onBadRow === "skip",
  };
}
