import type { LogitsEvent, RunHooks } from "../options/hooks.js";

/** Event of a call on a dataset. */
export type DatasetEvent =
  | LogitsEvent
  | {
      event: "planned";
      fingerprint: string;
      inputs: number;
      rows: number;
      shards: number;
      /** Number of shards that were done before, and of those that this call computes. */
      shardsDone: number;
      shardsToDo: number;
    }
  | {
      event: "shard completed";
      shard: number;
      /** Name of the shard's file. */
      file: string;
      input: string;
      rows: number;
      bytes: number;
      badRows: number;
      /** Time from the start of the shard to its commit, in milliseconds. */
      durationMs: number;
    }
  /** Invalid input that was skipped (`keepGoing`). */
  | { event: "input skipped"; input: string; error: string }
  /** Shard that is computed again because a worker thread crashed. */
  | { event: "shard retried"; shard: number; file: string; error: string }
  /** Stop: no more shards are started. */
  | { event: "stopping"; reason: "signal"; graceSeconds: number }
  | { event: "published" }
  /** Submission of shards to a queue; `submission` counts earlier submissions of the run. */
  | { event: "submitted"; shards: number; submission: number }
  /** Number of shards that are done, whichever process computed them. */
  | { event: "shards done"; shards: number; shardsDone: number }
  /** Shard that a queue worker failed to compute; `willRetry`: whether the queue has attempts left for it. */
  | {
      event: "shard failed";
      shard: number;
      file: string;
      error: string;
      willRetry: boolean;
    }
  /** Shard that a queue worker returned to its queue, for other workers. */
  | { event: "shard released"; shard: number; file: string; reason: string };

/** Callbacks and stop signal of a call on a dataset. */
export interface DatasetHooks extends RunHooks {
  /**
   * Signal that stops the call: the current shard is finished if `grace` allows, then StoppedError is thrown. The same call
   * resumes.
   */
  signal?: AbortSignal | undefined;
  /** Callback for progress: the rows that this call has computed, and those that it has to compute. */
  onProgress?: RunHooks["onProgress"];
  /** Callback for events. */
  onEvent?: ((event: DatasetEvent) => void) | undefined;
}
