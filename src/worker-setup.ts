import type { LogitsFile } from "./input/logits-file.js";
import type { Job } from "./job.js";
import type { SourceSetup, WorkerSetup } from "./pool/protocol.js";
import type { KernelMemory } from "./slots/kernel-memory.js";

/** What every worker of a run is told when it starts. */
export function workerSetup(
  { plan, slot, results, nullableResults }: Job,
  logits: LogitsFile,
  outputFd: number,
  memory: KernelMemory,
  temperature: number,
): WorkerSetup {
  return {
    ...memory,
    slotBytes: slot.bytes,
    slot,
    sourceFd: logits.fd,
    outputFd,
    classes: logits.classes,
    temperature,
    sources: [
      {
        name: logits.column,
        form: logits.form,
        type: logits.dtype,
        width: logits.dtype === "float32" ? 4 : 8,
        values: logits.classes,
        holds: "logits",
      },
      ...logits.inputs.map(
        ({ option, ...input }): SourceSetup => ({
          ...input,
          holds:
            option === "label" || option === "classColumn"
              ? "class"
              : "numbers",
        }),
      ),
    ],
    results,
    loadRows: plan.loadRows,
    strideRows: plan.strideRows,
    tileRows: plan.tileRows,
    stopAtBadRow: !nullableResults,
  };
}
