import { ShardsFailedError, SoftjacError } from "../errors.js";
import { knownError } from "../system-error.js";
import { SIGNAL_EXIT, type StopSignal } from "./signals.js";

/** Exit codes, after sysexits.h where it has one. */
export const EXIT = {
  done: 0,
  usage: 64,
  badInput: 65,
  inputMissing: 66,
  unavailable: 69,
  internal: 70,
  outputExists: 73,
  io: 74,
  /** Stopped with something saved: the same command goes on. */
  stopped: 75,
  permission: 77,
  configuration: 78,
} as const;

const BY_CODE: Record<string, number> = {
  ERR_USAGE: EXIT.usage,
  ERR_INPUT_FORMAT: EXIT.badInput,
  ERR_INPUT_CHANGED: EXIT.badInput,
  ERR_INPUT_UNSUPPORTED: EXIT.badInput,
  ERR_LOGITS_COLUMN: EXIT.badInput,
  ERR_BAD_ROW: EXIT.badInput,
  ERR_RAGGED_ROW: EXIT.badInput,
  ERR_ROW_MISSING: EXIT.badInput,
  ERR_INPUT_MISSING: EXIT.inputMissing,
  ERR_OUTPUT_EXISTS: EXIT.outputExists,
  ERR_IO: EXIT.io,
  ERR_INPUTS_SKIPPED: EXIT.badInput,
  ERR_DATASET_DAMAGED: EXIT.badInput,
  ERR_STOPPED: EXIT.stopped,
  ERR_STALLED: EXIT.stopped,
  ERR_INCOMPLETE: EXIT.stopped,
  ERR_PLAN_MISSING: EXIT.inputMissing,
  ERR_CONFIGURATION: EXIT.configuration,
  ERR_PERMISSION: EXIT.permission,
  ERR_SERVICE_UNAVAILABLE: EXIT.unavailable,
};

/** The exit code for an error; `stoppedBy` is the signal that stopped the run, if one did. */
export function exitCodeOf(
  thrown: unknown,
  stoppedBy: StopSignal | null,
): number {
  const error = knownError(thrown);
  if (!(error instanceof SoftjacError)) return EXIT.internal;
  if (error.code === "ERR_ABORTED" && stoppedBy) return SIGNAL_EXIT[stoppedBy];
  if (error instanceof ShardsFailedError)
    return error.isInputError ? EXIT.badInput : EXIT.stopped;
  return BY_CODE[error.code] ?? EXIT.internal;
}
