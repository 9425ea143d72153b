import type { DatasetEvent, DatasetHooks } from "../../dataset/events.js";
import { replaceFile } from "../../output/commit.js";
import { printableJson } from "../../printable.js";
import type { Settings } from "../command.js";
import { type Failure, type Log, openLog } from "./log.js";
import { metricsText } from "./metrics.js";
import { StatusTracker } from "./status.js";

const HEARTBEAT_SECONDS = 30;

/** Reports one command from start to end: on standard error, and in the files of `--metrics` and `--report`. */
export class CommandLog {
  readonly status = new StatusTracker();
  readonly #timer: NodeJS.Timeout;
  readonly #started = new Date().toISOString();
  #warned = false;

  private constructor(
    private readonly command: string,
    private readonly settings: Settings,
    private readonly output: string,
    private readonly log: Log,
  ) {
    this.#timer = setInterval(() => {
      log.heartbeat(this.status.now());
      this.#writeMetrics();
    }, HEARTBEAT_SECONDS * 1000).unref();
    this.#writeMetrics();
  }

  static async open(
    command: string,
    settings: Settings,
    output: string,
  ): Promise<CommandLog> {
    return new CommandLog(command, settings, output, await openLog(settings));
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

  /** Reports success; `text` null: only in files. Returns whether the files could be written. */
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

  /** Writes a file if the settings name it; an error is a warning, once, and does not end the command. */
  #write(setting: string, text: () => string): boolean {
    const path = this.settings.get(setting);
    if (typeof path !== "string") return true;
    try {
      replaceFile(path, text());
      return true;
    } catch (error) {
      if (!this.#warned) this.log.warn((error as Error).message);
      this.#warned = true;
      return false;
    }
  }
}

/** Returns a report as indented JSON. */
export function jsonText(value: unknown): string {
  return `${printableJson(JSON.stringify(value, null, 2))}\n`;
}
