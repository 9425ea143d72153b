import {
  AbortedError,
  InternalError,
  StoppedError,
  WorkerError,
} from "../errors.js";
import type { ResolvedOptions } from "../options.js";
import type { Crew } from "../pool/crew.js";
import type { PinnedInput } from "./dataset-plan.js";
import type { DatasetReportBuilder } from "./dataset-report.js";
import type { ShardRun } from "./dataset-run.js";
import type { DatasetHooks } from "./events.js";
import { errorOfInput, isBadInput } from "./left-out.js";
import { partName } from "./names.js";
import type { StoredRunOver } from "./plan-run-over.js";
import type { Shard } from "./plan-shards.js";
import { type Made, ShardMaker } from "./shard-maker.js";
import type { Stopping } from "./stopping.js";

interface Shards extends Omit<StoredRunOver, "run"> {
  run: ShardRun;
  /** Closed at the end. */
  crew: Crew;
  /** The options of a run over one input. */
  of: (input: string) => ResolvedOptions;
  /** Those to make, in order; such as are done by now are left. */
  shards: readonly number[];
  report: DatasetReportBuilder;
  stopping: Stopping;
  /** An input that is bad is left out; else it ends the work. */
  keepGoing: boolean;
  stallTimeout: number;
}

/**
 * Makes shards one after the other, each on all threads; while one waits for the disk the next is computed.
 * @throws SoftjacError as run; StoppedError where it was stopped, StalledError where nothing happened any more: what is
 * done is kept; InternalError for shards whose threads died twice, once the others are done
 */
export async function computeShards(
  { shards, report, stopping, keepGoing, ...work }: Shards,
  { onProgress, onEvent }: DatasetHooks,
): Promise<void> {
  const { run } = work;
  const { of } = run.plan;
  const maker = new ShardMaker(work);
  const died: string[] = [];
  /** Of the shard before; false: the dataset has been published. */
  let committing: Promise<boolean> = Promise.resolve(true);
  try {
    const leftOut = await run.leftOutByNumber();
    for (const shard of shards) {
      if (stopping.soon.aborted) throw new AbortedError();
      const span = of.shards[shard] as Shard;
      // Another process may have done it since.
      if (leftOut.has(span.input) || (await run.isDone(shard))) {
        report.passed(span);
        continue;
      }
      const input = of.inputs[span.input] as PinnedInput;
      const file = partName(shard, run.shards);
      const start = performance.now();
      let made: Made | null = null;
      try {
        made = await maker.make(shard, {
          signal: stopping.now,
          onProgress: report.progress(onProgress),
          onRetry: ({ message }) =>
            onEvent?.({ event: "shard retried", shard, file, error: message }),
        });
      } catch (error) {
        if (error instanceof WorkerError)
          died.push(`${maker.describe(shard)}: ${error.message}`);
        else if (keepGoing && isBadInput(error)) {
          await maker.checkPinned(shard);
          const path = work.inputs.path(input.name);
          const found = errorOfInput(error, path, input.name);
          await run.leaveOut(span.input, found);
          leftOut.set(span.input, found);
          onEvent?.({
            event: "input skipped",
            input: input.name,
            error: found,
          });
        } else throw error;
      }
      report.passed(span);
      if (!made) continue;
      const isOurs = await committing;
      committing = made.committed.then((done) => {
        if (!done) return false;
        report.made(done);
        const { rows, bytes, badRows } = done;
        const durationMs = performance.now() - start;
        onEvent?.({
          event: "shard completed",
          shard,
          file,
          input: input.name,
          rows,
          bytes,
          badRows,
          durationMs,
        });
        return true;
      });
      // told where it is awaited
      committing.catch(() => {});
      if (!isOurs) return;
    }
    // Threads end while the disk is waited for.
    await Promise.all([committing, maker.close()]);
  } catch (error) {
    await committing.catch(() => {});
    // With the run's folders goes the place for what this process was making. Where the store cannot say, the first error counts.
    if (await run.isPublished().catch(() => false)) return;
    if (error instanceof AbortedError)
      throw new StoppedError(report.shardsDone, run.shards, { cause: error });
    throw error;
  } finally {
    await committing.catch(() => {});
    await maker.close();
  }
  if (died.length > 0)
    throw new InternalError(
      `worker threads crashed twice while computing ${died.slice(0, 3).join("; ")}${died.length > 3 ? "; …" : ""}; ${report.shardsDone} of ${run.shards} shards are done and kept`,
    );
}
