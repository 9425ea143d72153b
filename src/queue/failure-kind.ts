import { isBadInput } from "../dataset/left-out.js";
import { AbortedError, SoftjacError, WorkerError } from "../errors.js";
import { isFullDisk } from "../system-error.js";

/**
 * What a failure of a part means to its job: `stopped`: to be handed back; `full disk`: likewise, and nothing more for a
 * while; `final`: another try would end the same, on any machine; `passing`: it may not.
 */
export type FailureKind = "stopped" | "full disk" | "final" | "passing";

const FINAL = [
  "ERR_INPUT_CHANGED",
  "ERR_JOB_REFUSED",
  "ERR_USAGE",
  "ERR_OUTPUT_EXISTS",
];

export function failureKind(error: unknown): FailureKind {
  if (error instanceof AbortedError) return "stopped";
  if (isFullDisk(error)) return "full disk";
  const { code = "" } = (error ?? {}) as { code?: string };
  // A worker that died may have had too little memory; an internal error is other bytes than another's.
  const isInternal = code === "ERR_INTERNAL" && !(error instanceof WorkerError);
  return isBadInput(error) || FINAL.includes(code) || isInternal
    ? "final"
    : "passing";
}

/** What the queue keeps of a failure: the code, and the sentence. */
export function failureText(error: unknown): string {
  const code = error instanceof SoftjacError ? error.code : "ERR_INTERNAL";
  return `${code}: ${error instanceof Error ? error.message : String(error)}`;
}

/** Whether a failure that the queue has kept was the input's fault. */
export function isInputsFault(text: string): boolean {
  const [, code] = /^(ERR_[A-Z_]+): /.exec(text) ?? [];
  return code === "ERR_INPUT_CHANGED" || isBadInput({ code });
}
