import { AbortedError, InternalError, WorkerError } from "../errors.js";
import type { DatasetReportBuilder } from "./dataset-report.js";
import type { DatasetHooks } from "./events.js";
import type { GracefulStop } from "./graceful-stop.js";
import {
  ShardComputer,
  type ShardContext,
  type ShardOutcome,
} from "./shard-computer.js";

interface Shards extends ShardContext {
  /** Shards to compute, in order. */
  shards: readonly number[];
  report: DatasetReportBuilder;
  stopping: GracefulStop;
}

/**
 * Computes shards one after the other; while one is committed, the next is computed.
 * @returns the inputs that were skipped
 * @throws SoftjacError as run; AbortedError; StalledError: completed shards are kept; InternalError for shards whose
 * threads died twice, once the others are done
 */
export async function computeShards(
  { shards, report, stopping, ...context }: Shards,
  { onProgress, onEvent }: DatasetHooks,
): Promise<ReadonlySet<string>> {
  const { run } = context;
  const skipped = new Set<string>();
  const computer = new ShardComputer(context);
  const died: string[] = [];
  const make = async (
    shard: number,
    onComputed: () => void,
  ): Promise<ShardOutcome | null> => {
    const signal = stopping.abortSignal;
    const progress = report.progress(onProgress);
    const hooks = { signal, onProgress: progress, onEvent, onComputed };
    try {
      return await computer.compute(shard, hooks);
    } catch (error) {
      if (!(error instanceof WorkerError)) throw error;
      died.push(`${computer.describe(shard)}: ${error.message}`);
      return null;
    }
  };
  /** Reports outcomes in the order of the shards. Resolves to false once the dataset is published. */
  const told = async (
    before: Promise<boolean>,
    made: Promise<ShardOutcome | null>,
  ): Promise<boolean> => {
    if (!(await before)) return false;
    const outcome = await made;
    if (outcome === "published") return false;
    if (outcome === null || outcome === "up to date") return true;
    if (outcome.event === "shard completed") report.countComputed(outcome);
    else skipped.add(outcome.input);
    onEvent?.(outcome);
    return true;
  };
  let made: Promise<ShardOutcome | null> = Promise.resolve(null);
  let committing = Promise.resolve(true);
  try {
    for (const shard of shards) {
      if (stopping.stopSignal.aborted) throw new AbortedError();
      let onComputed = () => {};
      const computed = new Promise<void>((resolve) => {
        onComputed = resolve;
      });
      made = make(shard, onComputed);
      const before = committing;
      committing = told(before, made);
      committing.catch(() => {});
      await Promise.race([computed, made]);
      report.countPassed(shard);
      if (!(await before)) return skipped;
    }
    // Threads end while the last shard is committed.
    await Promise.all([committing, computer.close()]);
  } finally {
    await Promise.allSettled([committing, made]);
    await computer.close();
  }
  if (died.length > 0)
    throw new InternalError(
      `worker threads crashed twice while computing ${died.slice(0, 3).join("; ")}${died.length > 3 ? "; …" : ""}; ${report.shardsDone} of ${run.shards} shards are done and kept`,
    );
  return skipped;
}
