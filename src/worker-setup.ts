import { numberWidth } from "./arrow/field.js";
import type { LogitsFile } from "./input/logits-file.js";
import { axesOf } from "./input/row-indices.js";
import type { DirectTarget } from "./io/direct.js";
import type { Job } from "./job.js";
import type { SourceSetup, WorkerSetup } from "./pool/protocol.js";
import type { KernelMemory } from "./slots/kernel-memory.js";

/** What the workers must know of a run. */
export function workerSetup(
  job: Job,
  logits: LogitsFile,
  { fd, direct, compare, ring = null }: DirectTarget,
  memory: KernelMemory,
  temperature: number,
): WorkerSetup {
  const { slot, results } = job;
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
        form: logits.form,
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
          loadRows: job.plan.chunkRows,
          strideRows: job.plan.chunkRows,
          tileRows: logits.classes,
          entries: job.setup,
        }
      : {
          loadRows: job.plan.loadRows,
          strideRows: job.plan.strideRows,
          tileRows: job.plan.tileRows,
          entries: null,
        }),
    maskNulls: logits.nullLogit === "mask",
    stopAtBadRow: job.onBadRow === "error",
    skipBadRows: job.onBadRow === "skip",
  };
}
