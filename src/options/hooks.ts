import type { NumberType } from "../arrow/field.js";

/** Callbacks, stop signal and thread of a call. */
export interface RunHooks {
  /** Signal that stops the run between chunks; the output is deleted and AbortedError thrown. */
  signal?: AbortSignal | undefined;
  /** Callback for progress, with the rows done and in total; runs add their current state. */
  onProgress?:
    | ((rowsDone: number, rows: number, state?: RunProgress) => void)
    | undefined;
  /** Callback for events: the column of logits in use, and warnings about it. */
  onEvent?: ((event: LogitsEvent) => void) | undefined;
  /**
   * Whether the calling thread is one of the `threads` that compute (default: false, except for small inputs). It saves the
   * start of a thread; other work of the caller waits for a few milliseconds at a time, and for a second or two in sums of
   * hundreds of classes. Datasets do not use it.
   */
  mainThread?: boolean | undefined;
}

/** Current state of a run. */
export interface RunProgress {
  /** Bytes of the output written so far. */
  bytesDone: number;
  /** Number of threads that compute, and how many of them are busy; 0 if only the main thread does. */
  threads: number;
  threadsBusy: number;
}

/** The logits that a run uses, and warnings about them. */
export type LogitsEvent =
  | {
      event: "logits";
      /** Name of the column or array, or pattern of the columns; null for an array without a name. */
      column: string | null;
      classes: number;
      type: NumberType;
      /** Names of the first and the last class, if classes have names. */
      firstClass: string | null;
      lastClass: string | null;
    }
  | { event: "warning"; message: string };
