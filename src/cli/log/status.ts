import type { DatasetEvent } from "../../dataset/events.js";
import type { RunProgress } from "../../options/hooks.js";

/** Progress of a command, for metrics, heartbeats and the progress bar. */
export type Status = ReturnType<StatusTracker["now"]>;

/** Minimum length of a pause, in milliseconds, that makes the time left unknown. */
const MIN_PAUSE_MS = 10_000;

/** Tracks the status of a command from its progress and events. */
export class StatusTracker {
  readonly #started = Date.now();
  readonly #start = performance.now();
  /** Time of the first progress, so that rates exclude opening and planning. */
  #computingSince: number | null = null;
  /** Time of the last change in the number of computed rows. */
  #lastChange: number | null = null;
  #bytesDone = 0;
  #exitCode: number | null = null;
  readonly #counts = {
    rows: 0,
    rowsDone: 0,
    badRows: 0,
    outputBytes: 0,
    /** null without a dataset. */
    shards: null as number | null,
    shardsDone: null as number | null,
    skippedInputs: 0,
    /** null without threads. */
    threads: null as number | null,
    threadsBusy: null as number | null,
  };

  progress(rowsDone: number, rows: number, state?: RunProgress): void {
    this.#computingSince ??= performance.now();
    if (rowsDone !== this.#counts.rowsDone)
      this.#lastChange = performance.now();
    Object.assign(this.#counts, { rowsDone, rows });
    if (!state) return;
    const { bytesDone, threads, threadsBusy } = state;
    this.#bytesDone = bytesDone;
    if (threads > 0) Object.assign(this.#counts, { threads, threadsBusy });
  }

  event(event: DatasetEvent): void {
    const counts = this.#counts;
    if (event.event === "planned" || event.event === "shards done") {
      counts.shards = event.shards;
      counts.shardsDone = event.shardsDone;
      if (event.event === "planned") this.#computingSince = performance.now();
    } else if (event.event === "shard completed") {
      counts.shardsDone = (counts.shardsDone ?? 0) + 1;
      counts.badRows += event.badRows;
      counts.outputBytes += event.bytes;
    } else if (event.event === "input skipped") counts.skippedInputs++;
  }

  /** Sets the exit code and the counts of the final report. */
  end(exitCode: number, report: object): void {
    this.#exitCode = exitCode;
    const found = report as Record<string, unknown>;
    for (const name of ["badRows", "outputBytes", "rowsDone"] as const)
      if (typeof found[name] === "number") this.#counts[name] = found[name];
    if (Array.isArray(found.skippedInputs))
      this.#counts.skippedInputs = found.skippedInputs.length;
  }

  now() {
    const { rows, rowsDone } = this.#counts;
    const now = performance.now();
    const seconds = (now - (this.#computingSince ?? now)) / 1000;
    const rate = seconds > 0 ? rowsDone / seconds : 0;
    return {
      running: this.#exitCode === null ? 1 : 0,
      exitCode: this.#exitCode,
      startTimeSeconds: this.#started / 1000,
      updateTimeSeconds: Date.now() / 1000,
      durationSeconds: (now - this.#start) / 1000,
      ...this.#counts,
      rowsPerSecond: rate,
      bytesPerSecond: seconds > 0 ? this.#bytesDone / seconds : 0,
      memoryBytes: process.memoryUsage.rss(),
      /** Estimated time to the end; null if unknown. */
      secondsLeft:
        rate > 0 && !this.#isPaused(now) ? (rows - rowsDone) / rate : null,
    };
  }

  /** Whether progress has paused for longer than it lasted before, so that its rate predicts nothing. */
  #isPaused(now: number): boolean {
    if (this.#computingSince === null || this.#lastChange === null)
      return false;
    const took = this.#lastChange - this.#computingSince;
    return now - this.#lastChange > Math.max(took, MIN_PAUSE_MS);
  }
}
