import {
  AbortedError,
  BadRowError,
  InputFormatError,
  InputUnsupportedError,
  RaggedRowError,
  SoftjacError,
  WorkerError,
} from "../errors.js";
import { inputError, ioError, systemErrorOf } from "../io/system-error.js";
import { DifferentByte } from "../io/write-or-compare.js";
import { NULL_IN_CLASS } from "../kernels/bad-row.js";
import { indexOfRow } from "../results/row-indices.js";
import type { Failure, Reply, Task } from "../tasks/run-tasks.js";
import type { RunContext } from "./run-context.js";

export type Done = Extract<Reply, { ok: true }>;

/** Functions for the work that is in one slot. */
export interface SlotTasks {
  /** Runs a task. @throws if it fails, or if the run has been stopped; the work must end then */
  run(task: Task): Promise<Done>;
  /** Calls onProgress: between the tasks of a work, if it has several. */
  progress(): void;
}

/**
 * Carries out every work in a slot of its own, and takes the next one when a slot is free. The first error or an abort
 * stops new works and new tasks. Those in flight are drained before the error is thrown: of several errors, that of the
 * first work in order.
 */
export async function runTasks<Work>(
  context: RunContext,
  slots: number,
  works: Iterator<Work> | AsyncIterator<Work>,
  carryOut: (work: Work, slot: number, tasks: SlotTasks) => Promise<void>,
): Promise<void> {
  const { output, signal } = context;
  const free = Array.from({ length: slots }, (_, slot) => slot);
  const inFlight = new Set<Promise<unknown>>();
  let first: { n: number; error: unknown } | null = null;

  const stop = () => output.stop?.();
  const fail = (n: number, error: unknown): void => {
    if (!(error instanceof Stopped || (first && first.n < n)))
      first = { n, error };
    stop();
  };
  const isStopped = () => first !== null || signal?.aborted === true;
  /** Keeps a promise until it is settled, also if nobody waits for it any more. */
  const track = <T>(promise: Promise<T>): Promise<T> => {
    const settled = promise
      .catch(() => {})
      .finally(() => inFlight.delete(settled));
    inFlight.add(settled);
    return promise;
  };
  const tasks: SlotTasks = {
    async run(task) {
      if (isStopped()) throw new Stopped();
      return track(runTask(context, task));
    },
    progress() {
      if (first) return;
      try {
        context.onProgress();
      } catch (error) {
        throw new CallbackError(error);
      }
    },
  };
  const work = async (n: number, slot: number, next: Work): Promise<void> => {
    try {
      await carryOut(next, slot, tasks);
      tasks.progress();
    } catch (error) {
      fail(n, error);
    }
    free.push(slot);
  };

  signal?.addEventListener("abort", stop);
  try {
    for (let n = 0; !isStopped(); ) {
      const slot = free[0];
      if (slot === undefined) {
        await Promise.race(inFlight);
        continue;
      }
      const next = await works.next();
      if (next.done || isStopped()) break;
      free.shift();
      track(work(n++, slot, next.value));
    }
  } catch (error) {
    fail(Number.POSITIVE_INFINITY, error);
  }
  while (inFlight.size > 0) await Promise.all(inFlight);
  signal?.removeEventListener("abort", stop);

  if (first) throw runError((first as { error: unknown }).error, context);
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
}

/** Runs a task. @throws the error of its failure */
export async function runTask(context: RunContext, task: Task): Promise<Done> {
  const reply = await context.pool.run(task);
  if (reply.ok) return reply;
  throw failureError(reply.failure, context);
}

/** Ends a work after another one has failed. */
class Stopped extends Error {}

/** Carries an error of the caller's own callback, which leaves the run unchanged. */
class CallbackError extends Error {
  constructor(readonly error: unknown) {
    super();
  }
}

/** Returns an error of a run as the caller meets it: errors that are neither ours nor the system's are those of a worker. */
export function runError(error: unknown, { options }: RunContext): unknown {
  if (error instanceof CallbackError) return error.error;
  if (error instanceof DifferentByte) return error;
  const known = ioError(options.output, "could not be written", error);
  if (known instanceof SoftjacError) return known;
  const message = error instanceof Error ? error.message : String(error);
  return new WorkerError(`a worker thread failed: ${message}`, {
    cause: error,
  });
}

const ADVICE = "--on-bad-row null keeps the row as null, skip drops it";

/** Returns the error for a worker's failure. */
function failureError(
  failure: Failure,
  { logits: { path }, options, report: { axes } }: RunContext,
): Error {
  switch (failure.kind) {
    case "bad-row":
      return new BadRowError(
        path,
        indexOfRow(axes, failure.row),
        failure,
        failure.advice ??
          (failure.found.startsWith(NULL_IN_CLASS)
            ? `${ADVICE}, --null-logit mask masks the class`
            : ADVICE),
      );
    case "ragged-row":
      return new RaggedRowError(
        path,
        failure.column,
        indexOfRow(axes, failure.row),
        failure.expected,
        failure.found,
      );
    case "different":
      return new DifferentByte(
        failure.position,
        failure.expected,
        failure.found,
      );
    case "damaged":
      return new InputFormatError(path, failure.where, failure.text);
    case "refused-value":
      return new InputUnsupportedError(path, failure.where, failure.text);
    case "io":
      return failure.side === "output"
        ? ioError(
            options.output,
            "could not be written",
            systemErrorOf(failure),
          )
        : inputError(path, "could not be read", systemErrorOf(failure));
  }
}
