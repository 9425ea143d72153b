import type { DatasetEvent } from "../../dataset/events.js";
import type { RunProgress } from "../../options/hooks.js";
import { printableLines } from "../../printable.js";
import { bytes, count, duration } from "../format.js";

/** Progress of a command, for metrics, heartbeats and the progress bar. */
export type Status = ReturnType<StatusTracker["now"]>;

/** Tracks the status of a command from its progress and events. */
export class StatusTracker {
  readonly #started = Date.now();
  readonly #start = performance.now();
  /** Time when the input was open, so that rates exclude opening and planning. */
  #computingSince: number | null = null;
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
    Object.assign(this.#counts, { rowsDone, rows });
    if (!state) return;
    const { bytesDone, threads, threadsBusy } = state;
    this.#bytesDone = bytesDone;
    if (threads > 0) Object.assign(this.#counts, { threads, threadsBusy });
  }

  event(event: DatasetEvent): void {
    const counts = this.#counts;
    if (event.event === "logits") this.#computingSince ??= performance.now();
    else if (event.event === "planned" || event.event === "shards done") {
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
      /** Estimated time to the end at this rate; null before the first row. */
      secondsLeft: rate > 0 ? (rows - rowsDone) / rate : null,
    };
  }
}

const SEPARATOR = "  ";
const MIN_BAR = 10;
const MAX_BAR = 40;

/** Opens a bar that its first update shows. */
export async function openProgressBar(terminal: NodeJS.WriteStream) {
  const { SingleBar } = (await import("cli-progress")).default;
  const bar = new SingleBar({
    stream: terminal,
    // One column stays free, because some terminals wrap a full line.
    format: (_, __, { status }) =>
      progressText(status as Status, (terminal.columns || 80) - 1),
    clearOnComplete: true,
    hideCursor: true,
    // With it, cli-progress would stop the bar on a signal, while chunks are still being computed.
    gracefulExit: false,
  });
  let started = false;
  return {
    update(status: Status) {
      if (started) bar.update(status.rowsDone, { status });
      else bar.start(status.rows, status.rowsDone, { status });
      started = true;
    },
    /** Writes a line above the bar. */
    line: (text: string) => terminal.write(`\r\x1b[K${printableLines(text)}`),
    stop() {
      if (started) bar.stop();
      started = false;
    },
  };
}

/** Formats the bar and as many figures as fit into `columns`, the most important first. */
export function progressText(status: Status, columns: number): string {
  const { rows, rowsDone } = status;
  const done = rows > 0 ? Math.min(1, rowsDone / rows) : 0;
  let text = `${Math.floor(100 * done)}%`.padStart(4);
  for (const figure of figures(status)) {
    const longer = text + SEPARATOR + figure;
    if (MIN_BAR + 1 + longer.length > columns) break;
    text = longer;
  }
  const width = Math.min(MAX_BAR, columns - 1 - text.length);
  const filled = Math.round(done * Math.max(0, width));
  const bar = "\u2588".repeat(filled).padEnd(width, "\u2591");
  return width < 1 ? text.slice(0, columns) : `${bar} ${text}`;
}

/** Returns the figures of a status as text, the most important first. */
export function figures(status: Status): string[] {
  const { rows, secondsLeft, shards, bytesPerSecond, threads } = status;
  // Opening takes long if a file is decoded first.
  const found = [
    rows > 0
      ? `${count(status.rowsDone)} of ${count(rows)} rows`
      : "no rows yet",
  ];
  if (secondsLeft !== null) found.push(`${duration(secondsLeft * 1000)} left`);
  if (shards !== null)
    found.push(`${count(status.shardsDone ?? 0)} of ${count(shards)} shards`);
  if (rows > 0) found.push(`${count(status.rowsPerSecond)} rows/s`);
  if (bytesPerSecond > 0) found.push(`${bytes(Math.round(bytesPerSecond))}/s`);
  if (threads !== null)
    found.push(`${status.threadsBusy} of ${threads} threads busy`);
  return [...found, `${bytes(status.memoryBytes)} of memory`];
}
