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

export type SuccessReply = Extract<Reply, { ok: true }>;

/** Functions for the work in a slot. */
export interface SlotTasks {
  /** Runs a task. @throws if it fails or the run has been stopped; the work must end then */
  run(task: Task): Promise<SuccessReply>;
  /** Calls onProgress, for work that has several tasks. */
  progress(): void;
}

/**
 * Executes each work in a slot of its own, and takes the next one when a slot is free. An error or an abort stops new works
 * and tasks, and drains those in flight. Then the error of the first failed work in order is thrown.
 */
export async function runTasks<Work>(
  context: RunContext,
  slots: number,
  works: Iterator<Work> | AsyncIterator<Work>,
  execute: (work: Work, slot: number, tasks: SlotTasks) => Promise<void>,
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
  /** Counts a promise as in flight until it settles. */
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
      await execute(next, slot, tasks);
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
export async function runTask(
  context: RunContext,
  task: Task,
): Promise<SuccessReply> {
  const reply = await context.pool.run(task);
  if (reply.ok) return reply;
  throw failureError(reply.failure, context);
}

/** Ends a work after another one failed. */
class Stopped extends Error {}

/** Wraps an error of the caller's onProgress, which is rethrown unchanged. */
class CallbackError extends Error {
  constructor(readonly error: unknown) {
    super();
  }
}

/** Returns the error to throw from a run. An error that is neither softjac's nor the system's becomes a WorkerError. */
export function runError(error: unknown, { options }: RunContext): unknown {
  if (error instanceof CallbackError) return error.error;
  if (error instanceof DifferentByte) return error;
  const converted = ioError(options.output, "could not be written", error);
  if (converted instanceof SoftjacError) return converted;
  const message = error instanceof Error ? error.message : String(error);
  return new WorkerError(`a worker thread failed: ${message}`, {
    cause: error,
  });
}

const ADVICE = "--on-bad-row null keeps the row as null, skip drops it";

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
