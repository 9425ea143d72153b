import type { RunHooks } from "../run.js";

/** What happens while a dataset is worked on, as it happens. */
export type DatasetEvent =
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
  | { event: "published" };

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
