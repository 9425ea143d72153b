import type { DatasetEvent, DatasetHooks } from "../../dataset/events.js";
import { replaceFile } from "../../output/commit.js";
import { printableJson } from "../../printable.js";
import { kebab, type Settings } from "../command.js";
import type { Failure, Log } from "./log.js";
import { type Status, StatusTracker } from "./status.js";

const HEARTBEAT_SECONDS = 30;

/** Reports a command from start to end: on standard error and in the files of `--metrics` and `--report`. */
export class CommandLog {
  readonly status = new StatusTracker();
  readonly #timer: NodeJS.Timeout;
  readonly #started = new Date().toISOString();
  readonly #failed = new Set<string>();

  constructor(
    private readonly command: string,
    private readonly settings: Settings,
    /** Value of the label `output` in the metrics. */
    private readonly output: string,
    private readonly log: Log,
  ) {
    this.#timer = setInterval(() => {
      log.heartbeat(this.status.now());
      this.#writeMetrics();
    }, HEARTBEAT_SECONDS * 1000).unref();
    this.#writeMetrics();
  }

  readonly onProgress: Required<DatasetHooks>["onProgress"] = (...progress) => {
    this.status.progress(...progress);
    this.log.progress(() => this.status.now());
  };

  readonly onEvent = (event: DatasetEvent): void => {
    this.status.event(event);
    this.log.event(event);
  };

  /** Stops the heartbeat and removes the progress bar. */
  stop(): void {
    clearInterval(this.#timer);
    this.log.stop();
  }

  /** Reports success, on standard error only if `text` is not null. Returns whether the files could be written. */
  done(exitCode: number, report: object, text: string | null, logged = report) {
    const written = this.#end(exitCode, report);
    if (text !== null) this.log.done(logged, text);
    return written;
  }

  failed(failure: Failure, report: object): void {
    this.#end(failure.exitCode, report);
    this.log.failed(failure);
  }

  #end(exitCode: number, report: object): boolean {
    this.stop();
    this.status.end(exitCode, report);
    const { command } = this;
    const started = this.#started;
    const ended = new Date().toISOString();
    const all = { command, exitCode, started, ended, ...report };
    const written = this.#writeMetrics();
    return this.#write("report", () => jsonText(all)) && written;
  }

  #writeMetrics(): boolean {
    return this.#write("metrics", () =>
      metricsText(this.status.now(), this.command, this.output),
    );
  }

  /** Writes a file if its setting is given. The first error of each file is a warning; none ends the command. */
  #write(setting: string, text: () => string): boolean {
    const path = this.settings.get(setting);
    if (typeof path !== "string") return true;
    try {
      replaceFile(path, text());
      return true;
    } catch (error) {
      if (!this.#failed.has(path))
        this.log.warn((error as Error).message, true);
      this.#failed.add(path);
      return false;
    }
  }
}

export function jsonText(value: unknown): string {
  return `${printableJson(JSON.stringify(value, null, 2))}\n`;
}

/** Help texts of the metrics, in file order; `rowsDone` becomes softjac_rows_done. */
const METRICS: Record<Exclude<keyof Status, "secondsLeft">, string> = {
  running: "Whether the command is running (1) or has ended (0).",
  exitCode: "Exit code of the command, once it has ended.",
  startTimeSeconds: "Start time, in seconds since 1970.",
  updateTimeSeconds: "When this file was written, in seconds since 1970.",
  durationSeconds: "Time since the start, in seconds.",
  rows: "Rows that the command has to compute.",
  rowsDone: "Rows computed so far.",
  badRows: "Computed rows without a softmax.",
  outputBytes: "Bytes of finished output.",
  shards: "Shards of the dataset.",
  shardsDone:
    "Shards of the dataset that are done, whichever process computed them.",
  skippedInputs: "Bad inputs that were skipped and have no results.",
  rowsPerSecond: "Rows computed per second.",
  bytesPerSecond: "Output bytes written per second.",
  threads: "Threads that compute.",
  threadsBusy: "Threads that are busy.",
  memoryBytes: "Resident memory in bytes.",
};

/** Formats a status in the Prometheus text format, for the textfile collector of its node exporter. */
function metricsText(status: Status, command: string, output: string): string {
  const labels = `{command="${escaped(command)}",output="${escaped(output)}"}`;
  return Object.entries(METRICS)
    .map(([field, help]) => {
      const value = status[field as keyof Status];
      const name = `softjac_${kebab(field).replaceAll("-", "_")}`;
      return value === null
        ? ""
        : `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name}${labels} ${value}\n`;
    })
    .join("");
}

function escaped(value: string): string {
  return value.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n");
}
