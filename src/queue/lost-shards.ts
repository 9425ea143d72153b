import type { QueuedShards } from "./queued-shards.js";

/** What is to be done about shards that are missing. */
export interface Verdict {
  /** Nobody will make them: no job has them, or will. */
  lost: number[];
  /** Ids of the jobs of shards that were given up. */
  failed: [shard: number, id: string][];
  /** Somebody makes them, or will; or it is not sure that nobody does. */
  pending: number[];
}

/** Tells shards that are lost from such as wait. A job on its way from one state to another may be seen in neither: it is looked for twice. */
export class LostShards {
  #unseen = new Set<number>();

  judge(missing: readonly number[], queued: QueuedShards): Verdict {
    const verdict: Verdict = { lost: [], failed: [], pending: [] };
    const unseen = new Set<number>();
    for (const shard of missing) {
      const failed = queued.failed.get(shard);
      if (failed !== undefined) verdict.failed.push([shard, failed]);
      else if (queued.live.has(shard)) verdict.pending.push(shard);
      else if (this.#unseen.has(shard)) verdict.lost.push(shard);
      else {
        unseen.add(shard);
        verdict.pending.push(shard);
      }
    }
    this.#unseen = unseen;
    return verdict;
  }
}
