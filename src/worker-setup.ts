import type { LogitsFile } from "./input/logits-file.js";
import type { Job } from "./job.js";
import type { WorkerSetup } from "./pool/protocol.js";
import type { KernelMemory } from "./slots/kernel-memory.js";

/** What every worker of a run is told when it starts. */
export function workerSetup(
  { plan, slot, dtype, nullableResults }: Job,
  logits: LogitsFile,
  outputFd: number,
  memory: KernelMemory,
): WorkerSetup {
  return {
    ...memory,
    slotBytes: slot.bytes,
    slot,
    sourceFd: logits.fd,
    outputFd,
    classes: logits.classes,
    sourceFloat32: logits.dtype === "float32",
    outFloat32: dtype === "float32",
    form: logits.form,
    loadRows: plan.loadRows,
    strideRows: plan.strideRows,
    tileRows: plan.tileRows,
    stopAtBadRow: !nullableResults,
  };
}
