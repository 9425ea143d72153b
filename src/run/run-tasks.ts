import { AbortedError, SoftjacError, WorkerError } from "../errors.js";
import { ioError } from "../io/system-error.js";
import { DifferentByte } from "../io/write-or-compare.js";
import type { RowAxes } from "../results/row-axes.js";
import { failureError } from "../tasks/failure.js";
import type { Reply, Task } from "../tasks/run-tasks.js";
import type { RunContext } from "./run-context.js";

type SuccessReply = Extract<Reply, { ok: true }>;

/** Fields of a run that running tasks needs. */
interface TaskContext
  extends Pick<RunContext, "pool" | "signal" | "onProgress"> {
  options: { output: string };
  logits: { path: string };
  output: { stop?(): void };
  report: { axes: RowAxes };
  /** Advice about a bad row; default: that of a run. */
  advice?: string;
}

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
  context: TaskContext,
  slots: number,
  works: Iterator<Work> | AsyncIterator<Work>,
  execute: (work: Work, slot: number, tasks: SlotTasks) => Promise<void>,
): Promise<void> {
  const { output, signal } = context;
  const running = new Set<Promise<unknown>>();
  let started = 0;
  let first: { n: number; error: unknown } | null = null;

  const stop = () => output.stop?.();
  const fail = (n: number, error: unknown): void => {
    if (!(error instanceof Stopped || (first && first.n < n)))
      first = { n, error };
    stop();
  };
  const isStopped = () => first !== null || signal?.aborted === true;
  const tasks: SlotTasks = {
    async run(task) {
      if (isStopped()) throw new Stopped();
      const reply = runTask(context, task);
      const settled = reply
        .catch(() => {})
        .finally(() => running.delete(settled));
      running.add(settled);
      return reply;
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
  const useSlot = async (slot: number): Promise<void> => {
    while (!isStopped()) {
      let n = Number.POSITIVE_INFINITY;
      try {
        const next = await works.next();
        if (next.done || isStopped()) return;
        n = started++;
        await execute(next.value, slot, tasks);
        tasks.progress();
      } catch (error) {
        fail(n, error);
      }
    }
  };

  signal?.addEventListener("abort", stop);
  await Promise.all(Array.from({ length: slots }, (_, slot) => useSlot(slot)));
  // A work may have failed before its task has ended.
  await Promise.all(running);
  signal?.removeEventListener("abort", stop);

  if (first) throw runError((first as { error: unknown }).error, context);
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
}

/** Runs a task. @throws the error of its failure */
export async function runTask(
  context: TaskContext,
  task: Task,
): Promise<SuccessReply> {
  const { pool, options, logits, report, advice } = context;
  const reply = await pool.run(task);
  if (reply.ok) return reply;
  throw failureError(reply.failure, {
    input: logits.path,
    output: options.output,
    writing: WRITING,
    axes: report.axes,
    advice,
  });
}

const WRITING = "could not be written";

/** Ends a work after another one failed. */
class Stopped extends Error {}

/** Wraps an error of the caller's onProgress, which is rethrown unchanged. */
class CallbackError extends Error {
  constructor(readonly error: unknown) {
    super();
  }
}

/** Returns the error to throw from a run. An error that is neither softjac's nor the system's becomes a WorkerError. */
export function runError(
  error: unknown,
  { options }: Pick<TaskContext, "options">,
): unknown {
  if (error instanceof CallbackError) return error.error;
  if (error instanceof DifferentByte) return error;
  const converted = ioError(options.output, WRITING, error);
  if (converted instanceof SoftjacError) return converted;
  const message = error instanceof Error ? error.message : String(error);
  return new WorkerError(`a worker thread failed: ${message}`, {
    cause: error,
  });
}
