import { partsOfId, type ShardJob } from "./jobs.js";
import type { OpenQueue } from "./open-queue.js";

/** What a queue knows of one run. */
export interface QueuedShards {
  /** Shards with a job that a worker has, or will have. */
  live: ReadonlySet<number>;
  /** Ids of jobs among them that wait for another try. */
  delayed: readonly string[];
  /** Ids of the last job of shards whose jobs have all failed. */
  failed: ReadonlyMap<number, string>;
  /** How often shards of the run have been submitted: the next submission's number. */
  submissions: number;
}

/** Read at once: a queue may hold millions of ids. */
const SLICE = 10_000;

const LIVE = ["wait", "prioritized", "delayed", "active"] as const;

/**
 * Looks a queue through for the jobs of a run. Jobs move meanwhile: one on its way back may be missed, once, and nothing is
 * lost by two jobs for one shard.
 */
export async function queuedShards(
  { ask }: OpenQueue,
  run: Pick<ShardJob, "output" | "run">,
): Promise<QueuedShards> {
  const live = new Set<number>();
  const delayed: string[] = [];
  const failed = new Map<number, { id: string; submission: number }>();
  let submissions = 0;
  const idsOf = async (
    state: (typeof LIVE)[number] | "failed" | "completed",
    take: (index: number, submission: number, id: string) => void,
  ) => {
    for (let start = 0; ; start += SLICE) {
      const ids = await ask((queue) =>
        queue.getRanges([state], start, start + SLICE - 1),
      );
      for (const id of ids) {
        const found = partsOfId(id, run);
        if (!found) continue;
        submissions = Math.max(submissions, found.submission + 1);
        take(found.index, found.submission, id);
      }
      if (ids.length < SLICE) return;
    }
  };
  // In the order in which jobs move.
  for (const state of LIVE)
    await idsOf(state, (index, _, id) => {
      live.add(index);
      if (state === "delayed") delayed.push(id);
    });
  await idsOf("failed", (index, submission, id) => {
    if (submission >= (failed.get(index)?.submission ?? 0))
      failed.set(index, { id, submission });
  });
  await idsOf("completed", () => {});
  return {
    live,
    delayed,
    failed: new Map(
      [...failed]
        .filter(([index]) => !live.has(index))
        .map(([index, { id }]) => [index, id]),
    ),
    submissions,
  };
}
