import type { LogitsEvent } from "../input/first-rows.js";
import type { RunHooks } from "../run.js";

/** Progress of work on a dataset. */
export type DatasetEvent =
  | LogitsEvent
  | {
      event: "planned";
      fingerprint: string;
      inputs: number;
      rows: number;
      shards: number;
      /** Done before, and to be done by this call. */
      shardsDone: number;
      shardsToDo: number;
    }
  | {
      event: "shard completed";
      shard: number;
      /** Name of its file. */
      file: string;
      input: string;
      rows: number;
      bytes: number;
      badRows: number;
      /** From the start of the shard to its commit. */
      durationMs: number;
    }
  /** `keepGoing`: an input is bad and gets no results. */
  | { event: "input skipped"; input: string; error: string }
  /** A worker thread died; the shard is computed again. */
  | { event: "shard retried"; shard: number; file: string; error: string }
  /** No more shards are started. */
  | { event: "stopping"; reason: StopReason; graceSeconds: number }
  | { event: "published" }
  /** Shards were put into a queue; `submission` counts earlier submissions of the run. */
  | { event: "submitted"; shards: number; submission: number }
  /** Shards of the dataset that are done, whichever process computed them. */
  | { event: "shards done"; shards: number; shardsDone: number }
  /** A queue worker failed to compute a shard; `willRetry`: the queue has attempts left for it. */
  | {
      event: "shard failed";
      shard: number;
      file: string;
      error: string;
      willRetry: boolean;
    }
  /** A queue worker returned a shard to its queue, for other workers. */
  | { event: "shard released"; shard: number; file: string; reason: string };

export type StopReason = "signal" | "time limit";

export interface DatasetHooks extends RunHooks {
  /**
   * Stops the work: the part under way is finished if it can be within the grace, StoppedError is thrown, and the same
   * call goes on.
   */
  signal?: AbortSignal | undefined;
  /** Called now and then with the rows that this call has done so far, and those it has to do. */
  onProgress?: RunHooks["onProgress"];
  onEvent?: ((event: DatasetEvent) => void) | undefined;
}
