import { isInvalidInput } from "../dataset/run-files.js";
import { AbortedError, SoftjacError, WorkerError } from "../errors.js";
import { isFullDisk } from "../io/system-error.js";
import type { OptionsOf } from "../options/options-table.js";

/** Attempts at the shards of a queue. */
export type AttemptOptions = Pick<OptionsOf<"submit">, "attempts" | "backoff">;

export interface ShardJob {
  /** Absolute path, or URL, of the dataset. */
  output: string;
  /** Fingerprint of the run. */
  run: string;
  index: number;
}

export type JobsRun = Omit<ShardJob, "index">;

/** A job is invalid, from another version, or outside the allowed locations. */
export class JobRefusedError extends SoftjacError {
  readonly code = "ERR_JOB_REFUSED";
}

/** Message for a job that Redis deleted while its id was still waiting. */
const NO_DATA =
  "the job has no data; Redis may have deleted it (set maxmemory-policy noeviction)";

/** Parses the data of a job. It is untrusted: anybody with access to Redis can write it. @throws JobRefusedError */
export function parseShardJob(data: unknown): ShardJob {
  const { output, run, index, ...more } = (data ?? {}) as Partial<
    Record<keyof ShardJob, unknown>
  >;
  if (Object.keys(data ?? {}).length === 0) throw new JobRefusedError(NO_DATA);
  const isValid =
    typeof output === "string" &&
    output.length > 0 &&
    output.length < 4096 &&
    !output.includes("\0") &&
    typeof run === "string" &&
    /^[0-9a-f]{16}$/.test(run) &&
    Number.isSafeInteger(index) &&
    (index as number) >= 0 &&
    Object.keys(more).length === 0;
  if (!isValid)
    throw new JobRefusedError(
      "the job has invalid data; expected the output, the run and the index of a shard",
    );
  return { output, run, index: index as number };
}

/** Returns the text of an error that is stored in the queue: `<code>: <message>`. */
export function failureText(error: unknown): string {
  const code = error instanceof SoftjacError ? error.code : "ERR_INTERNAL";
  return `${code}: ${error instanceof Error ? error.message : String(error)}`;
}

/** Returns whether invalid input caused a stored failure. */
export function isInputFailure(text: string): boolean {
  const [, code] = /^(ERR_[A-Z_]+): /.exec(text) ?? [];
  return code === "ERR_INPUT_CHANGED" || isInvalidInput({ code });
}

/** Returns whether a stored failure says that the queue lost the data of the job, so that a new job may succeed. */
export function isLostData(text: string): boolean {
  return text === failureText(new JobRefusedError(NO_DATA));
}

/** Codes of errors that every attempt would repeat. */
const FINAL = [
  "ERR_INPUT_CHANGED",
  "ERR_JOB_REFUSED",
  "ERR_USAGE",
  "ERR_OUTPUT_EXISTS",
];

/**
 * Classifies the failure of a shard. `stopped` and `full disk` release the job, `passing` retries it, and `final` does
 * not, because every attempt on any machine would fail.
 */
export function failureKind(
  error: unknown,
): "stopped" | "full disk" | "final" | "passing" {
  if (error instanceof AbortedError) return "stopped";
  if (isFullDisk(error)) return "full disk";
  const { code = "" } = (error ?? {}) as { code?: string };
  // A dead thread may have run out of memory. Other internal errors are deterministic.
  const isInternal = code === "ERR_INTERNAL" && !(error instanceof WorkerError);
  return isInvalidInput(error) || FINAL.includes(code) || isInternal
    ? "final"
    : "passing";
}

/** Job that this worker holds until it has handled it, or until the lease expires. */
export interface TakenJob {
  id: string;
  data: unknown;
  /** Aborted when the lease expires, `abandon` is called, or the worker stops. */
  signal: AbortSignal;
  /** Whether the lease has expired, so that another worker may have the job. */
  isLost: boolean;
  /** Whether the queue would give the job out again after a failure. */
  hasRetries: boolean;
  /** Fails if no attempts are left, or if the job was released too often. */
  rejectUsedUp(): void;
  abandon(): void;
  /** Returns the job to the queue, which uses no attempt. Without the queue, its lease expires. */
  release(): Promise<void>;
}

/** What the queue does with a job that was handled: a failed job is retried only if `isFinal` is not set. */
export type JobEnd =
  | { kind: "done" }
  | { kind: "released" }
  | { kind: "failed"; text: string; isFinal: boolean };
