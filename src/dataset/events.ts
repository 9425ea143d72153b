import type { LogitsEvent } from "../input/first-rows.js";
import type { RunHooks } from "../run.js";

/** What happens while a dataset is worked on, as it happens. */
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
      event: "part made";
      shard: number;
      part: string;
      input: string;
      rows: number;
      bytes: number;
      badRows: number;
      /** From the start of the part to its commit. */
      durationMs: number;
    }
  /** `keepGoing`: an input has no results. */
  | { event: "input left out"; input: string; error: string }
  /** A thread died; its part is made once more. */
  | { event: "part retried"; shard: number; part: string; error: string }
  /** No more parts are begun. */
  | { event: "stopping"; reason: StopReason; graceSeconds: number }
  | { event: "published" }
  /** Parts that the workers of a queue are to make: how many, and how many times some have been submitted before. */
  | { event: "submitted"; shards: number; submission: number }
  /** Whoever has made them. */
  | { event: "parts done"; shards: number; shardsDone: number }
  /** A worker has not made a part of its queue; `again`: the queue will have it tried again. */
  | {
      event: "part failed";
      shard: number;
      part: string;
      error: string;
      again: boolean;
    }
  /** A worker has given a part back to its queue, for others. */
  | { event: "part handed back"; shard: number; part: string; reason: string };

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
