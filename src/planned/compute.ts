import { AbortedError } from "../errors.js";
import { failureError, firstFailure, unexpectedError } from "../failures.js";
import type { LogitsFile } from "../input/logits-file.js";
import { BatchFinisher } from "../output/batch-finisher.js";
import type { PlacedBatch } from "../output/jacobian-file.js";
import type { OutputTarget } from "../output/output-target.js";
import type { Failure, Reply } from "../pool/protocol.js";
import type { Production } from "../production.js";
import { SlotPool } from "../slots/slot-pool.js";
import type { PlannedJob } from "./planned-job.js";
import { type PendingTask, tasksOf } from "./tasks.js";

export interface Computation extends Omit<Production, "buffer"> {
  job: PlannedJob;
}

/**
 * Carries out every task, with no more in flight than there are slots. The first failure or abort stops new tasks; those
 * in flight are drained, and then the first cause is thrown (of bad rows: the first row).
 */
export async function compute(computation: Computation): Promise<void> {
  const { job, logits, pool, report, signal } = computation;
  const slots = new SlotPool(job.plan.slots);
  const finisher = new BatchFinisher(
    computation.output,
    job.layout.batches,
    tasksPerBatch(job, logits),
    job.onBadRow === "null",
    inOrder(job, computation.output),
  );
  const stop = () => computation.output.stop?.();
  signal?.addEventListener("abort", stop);
  const failures: Failure[] = [];
  const errors: unknown[] = [];
  const progressErrors: unknown[] = [];

  const settle = (task: PendingTask, reply: Reply): void => {
    if (!reply.ok) {
      failures.push(reply.failure);
      stop();
      return;
    }
    const { badRows, nulls } = reply;
    const first = job.plan.batches[task.batch]?.rowStart ?? 0;
    finisher.taskDone(
      task.batch,
      job.onBadRow === "null" ? badRows.map((row) => row - first) : [],
      nulls,
    );
    if (task.kind === "row-chunk") {
      const rows = task.rowEnd - task.rowStart;
      report.count(rows, badRows);
      const bytes = (rows / job.plan.rows) * job.layout.bytes;
      report.wrote(bytes);
      computation.output.wrote(bytes);
    }
  };

  const dispatch = async (): Promise<void> => {
    let begun = -1;
    for (const task of tasksOf(job, logits)) {
      const batch = job.layout.batches[task.batch] as PlacedBatch;
      const end = batch.bodyStart + batch.bodyBytes;
      await computation.output.room?.(end);
      // Nobody writes the zeros of a tensor: a file has them already.
      if (task.batch > begun && isDense(job))
        computation.output.clear?.(batch.bodyStart, end);
      begun = task.batch;
      const slot = await slots.acquire();
      if (
        failures.length ||
        errors.length ||
        progressErrors.length ||
        signal?.aborted
      ) {
        slots.release(slot);
        return;
      }
      const { batch: _, ...message } = task;
      pool
        .run({ ...message, slot })
        .then((reply) => settle(task, reply))
        .catch((error) => {
          errors.push(error);
          stop();
        })
        .finally(() => slots.release(slot))
        .then(computation.onProgress)
        .catch((error) => {
          progressErrors.push(error);
          stop();
        });
    }
  };
  await dispatch().catch((error) => errors.push(error));
  await slots.drained();
  signal?.removeEventListener("abort", stop);

  const { paths } = computation;
  if (failures.length) throw failureError(firstFailure(failures), paths);
  if (errors.length) throw unexpectedError(errors[0], paths);
  // What the caller's own onProgress threw is the caller's, as it is.
  if (progressErrors.length) throw progressErrors[0];
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
}

function isDense({ results }: PlannedJob): boolean {
  return results.some(({ values, listSize }) => listSize > values);
}

/** Says, where bytes leave in order, how far they are complete. */
function inOrder(
  { layout }: PlannedJob,
  output: OutputTarget,
): (batch: number) => void {
  const whole = new Set<number>();
  let next = 0;
  return (batch) => {
    whole.add(batch);
    for (; whole.delete(next); next++) {
      const { bodyStart, bodyBytes } = layout.batches[next] as PlacedBatch;
      output.complete?.(bodyStart + bodyBytes);
    }
  };
}

function tasksPerBatch({ plan }: PlannedJob, logits: LogitsFile): number[] {
  const counts: number[] = plan.batches.map(() =>
    logits.kept.length > 0 ? 1 : 0,
  );
  for (const { batch } of plan.chunks) counts[batch] = (counts[batch] ?? 0) + 1;
  return counts;
}
