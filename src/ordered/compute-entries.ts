import { AbortedError } from "../errors.js";
import { failureError, unexpectedError } from "../failures.js";
import { sourcePieces } from "../input/source-pieces.js";
import type { EntriesBatch } from "../output/entries-batch.js";
import type { EntriesTask, Failure, Reply } from "../pool/protocol.js";
import type { Production } from "../production.js";
import { countDropped } from "./count-dropped.js";
import type { EntriesJob } from "./entries-job.js";
import type { EntriesSink } from "./entries-sink.js";
import { CoordinatesTable, ExamplesTable } from "./entries-tables.js";
import { rowsOfNextTask } from "./plan-entries.js";

export interface EntriesComputation extends Production {
  job: EntriesJob;
  /** Places a record batch and writes it: fulfilled when its memory may be changed. */
  write: (batch: EntriesBatch) => Promise<void>;
}

interface InFlight {
  task: EntriesTask;
  reply: Promise<Reply>;
}

/**
 * Carries out every task and takes their slots over in row order, whatever order they finish in. Memory is bounded by the
 * slots: a task keeps its slot until its turn has come, and the first in order can always go on, in its own. The first
 * failure in row order stops the run; tasks in flight are drained before it is thrown.
 */
export async function computeEntries(
  computation: EntriesComputation,
): Promise<void> {
  const { job, pool, report, signal, paths } = computation;
  const { rows, slots } = job.plan;
  const rowEnd = job.plan.rowStart + rows;
  const Table = job.layout === "coo" ? CoordinatesTable : ExamplesTable;
  const table: EntriesSink = new Table(job, computation.write);
  const free = Array.from({ length: slots }, (_, slot) => slot);
  const inFlight: InFlight[] = [];
  let row = job.plan.rowStart;
  let entries = 0;

  const send = (task: EntriesTask): Promise<Reply> => {
    const reply = pool.run(task);
    // A later task's failure is told in its turn, or not at all.
    reply.catch(() => {});
    return reply;
  };
  const fillSlots = (): void => {
    while (row < rowEnd && free.length > 0) {
      const slot = free.shift() as number;
      const rowStart = row;
      row += rowsOfNextTask(job.plan, report.rowsDone, entries);
      row = Math.min(row, rowEnd);
      const pieces = sourcePieces(computation.logits, rowStart, row);
      const task: EntriesTask = {
        kind: "entries",
        slot,
        rowStart,
        rowEnd: row,
        pieces,
        from: null,
      };
      inFlight.push({ task, reply: send(task) });
    }
  };
  const takeOver = async ({ task, reply }: InFlight): Promise<void> => {
    const { slot, rowStart, rowEnd } = task;
    const base = slot * job.slot.bytes;
    const badRows: number[] = [];
    for (let part = await done(reply); ; ) {
      const filled = { buffer: computation.buffer, base, task, ...part };
      await table.append(filled);
      entries += part.part.entries;
      badRows.push(...part.badRows);
      countDropped(computation, base, part.part);
      if (!part.part.next) break;
      // One row of many classes fills slot after slot: no reason to wait for its end.
      stopIfAborted();
      part = await done(send({ ...task, from: part.part.next }));
    }
    free.push(slot);
    report.count(rowEnd - rowStart, badRows);
    report.set({ entries });
  };
  const done = async (reply: Promise<Reply>) => {
    const found = await reply;
    if (!found.ok) throw new TaskFailed(found.failure);
    return { badRows: found.badRows, part: partOf(found) };
  };

  const stopIfAborted = (): void => {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  };

  let progressError: { error: unknown } | null = null;
  try {
    fillSlots();
    for (let head = inFlight[0]; head; head = inFlight[0]) {
      await takeOver(head);
      inFlight.shift();
      try {
        computation.onProgress();
      } catch (error) {
        // What the caller's own onProgress threw is the caller's, as it is.
        progressError = { error };
        throw error;
      }
      stopIfAborted();
      fillSlots();
    }
    await table.finish();
  } catch (error) {
    const replies = inFlight.map(({ reply }) => reply);
    await Promise.allSettled(replies);
    await table.settled();
    if (progressError) throw error;
    throw error instanceof TaskFailed
      ? failureError(error.failure, paths)
      : unexpectedError(error, paths);
  }
}

/** A task's failure, on its way out of the loop. */
class TaskFailed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.kind);
  }
}

function partOf({ part }: Extract<Reply, { ok: true }>) {
  if (!part) throw new Error("a task returned no entries");
  return part;
}
