import { AbortedError, InternalError, WorkerError } from "../errors.js";
import type { DatasetCall } from "./dataset-report.js";
import {
  ShardComputer,
  type ShardContext,
  type ShardOutcome,
} from "./shard-computer.js";

interface Shards extends ShardContext, DatasetCall {
  /** Indices of the shards to compute, in this order. */
  shards: readonly number[];
}

/**
 * Computes shards one after the other; commits each while the next one is computed. Completed shards remain after an error.
 * A shard that crashes the threads twice is an error, but only once the others are done.
 * @returns the names of the inputs that were skipped
 */
export async function computeShards({
  shards,
  report,
  stopping,
  hooks: { onProgress, onEvent },
  ...context
}: Shards): Promise<ReadonlySet<string>> {
  const { run } = context;
  const skipped = new Set<string>();
  const computer = new ShardComputer(context);
  const crashed: string[] = [];
  const compute = async (
    shard: number,
    onComputed: () => void,
  ): Promise<ShardOutcome | null> => {
    try {
      return await computer.compute(shard, {
        signal: stopping.abortSignal,
        onProgress: report.progress(onProgress),
        onEvent,
        onComputed,
      });
    } catch (error) {
      if (!(error instanceof WorkerError)) throw error;
      crashed.push(`${computer.describe(shard)}: ${error.message}`);
      return null;
    }
  };
  /** Reports an outcome after the previous one. Resolves to false once the dataset is published. */
  const reportOutcome = async (
    previous: Promise<boolean>,
    pending: Promise<ShardOutcome | null>,
  ): Promise<boolean> => {
    if (!(await previous)) return false;
    const outcome = await pending;
    if (outcome === "published") return false;
    if (outcome === null || outcome === "up to date") return true;
    if (outcome.event === "shard completed") report.countComputed(outcome);
    else skipped.add(outcome.input);
    onEvent?.(outcome);
    return true;
  };
  let pending: Promise<ShardOutcome | null> = Promise.resolve(null);
  let committing = Promise.resolve(true);
  try {
    for (const shard of shards) {
      if (stopping.stopSignal.aborted) {
        if (await run.isPublished().catch(() => false)) return skipped;
        throw new AbortedError();
      }
      let onComputed = () => {};
      const computed = new Promise<void>((resolve) => {
        onComputed = resolve;
      });
      pending = compute(shard, onComputed);
      const previous = committing;
      committing = reportOutcome(previous, pending);
      committing.catch(() => {});
      await Promise.race([computed, pending]);
      report.countPassed(shard);
      if (!(await previous)) return skipped;
    }
    // The threads are no longer needed while the last shard is committed.
    await Promise.all([committing, computer.close()]);
  } finally {
    await Promise.allSettled([committing, pending]);
    await computer.close();
  }
  if (crashed.length > 0)
    throw new InternalError(
      `worker threads crashed twice while computing ${crashed.slice(0, 3).join("; ")}${crashed.length > 3 ? "; …" : ""}; ${report.shardsDone} of ${run.shards} shards are done and kept`,
    );
  return skipped;
}
