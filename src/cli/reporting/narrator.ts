import type { DatasetHooks } from "../../dataset/events.js";
import type { Settings } from "../command.js";
import { StateKeeper } from "./state.js";
import { StateFiles } from "./state-files.js";
import { type Failure, openTeller, type Teller } from "./teller.js";

const HEARTBEAT_SECONDS = 30;

/** Tells how one command goes, from its start to its end: on standard error, and in the files that settings name. */
export class Narrator {
  readonly hooks: Required<Pick<DatasetHooks, "onProgress" | "onEvent">>;
  readonly #state: StateKeeper;
  readonly #files: StateFiles;
  readonly #timer: NodeJS.Timeout;
  readonly #started = new Date().toISOString();
  #complained = false;

  private constructor(
    private readonly command: string,
    private readonly teller: Teller,
    settings: Settings,
    output: string,
  ) {
    this.#state = new StateKeeper(command);
    this.#files = new StateFiles(settings, output);
    this.hooks = {
      onProgress: (...progress) => {
        this.#state.progress(...progress);
        teller.progress(() => this.#state.now());
      },
      onEvent: (event) => {
        this.#state.event(event);
        teller.event(event);
      },
    };
    const seconds = Number(settings.get("heartbeat") ?? HEARTBEAT_SECONDS);
    this.#timer = setInterval(() => this.#beat(), seconds * 1000);
    this.#timer.unref();
    this.#try(() => this.#files.state(this.#state.now()));
  }

  static async open(
    command: string,
    settings: Settings,
    output: string,
  ): Promise<Narrator> {
    return new Narrator(command, await openTeller(settings), settings, output);
  }

  /** Nothing is under way any more: no more lines about the state. */
  rest(): void {
    clearInterval(this.#timer);
    this.teller.stop();
  }

  /** @returns whether the files could be written */
  done(
    report: object,
    exitCode: number,
    tell: (teller: Teller) => void,
  ): boolean {
    const { status } = report as { status?: unknown };
    const done = typeof status === "string" ? status : "done";
    const written = this.#end(report, exitCode, done);
    tell(this.teller);
    return written;
  }

  /** @returns whether the files could be written */
  failed(failure: Failure, report: object, isStopped: boolean): boolean {
    const { exitCode } = failure;
    const written = this.#end(
      report,
      exitCode,
      isStopped ? "stopped" : "failed",
    );
    this.teller.failed(failure);
    return written;
  }

  #beat(): void {
    const state = this.#state.now();
    this.teller.heartbeat(state);
    this.#try(() => this.#files.state(state));
  }

  #end(report: object, exitCode: number, status: string): boolean {
    this.rest();
    this.#state.end(exitCode, status, report);
    const ended = new Date().toISOString();
    const { command } = this;
    const started = this.#started;
    return this.#try(() => {
      this.#files.state(this.#state.now());
      this.#files.report({ command, exitCode, started, ended, ...report });
    });
  }

  /** A file that tells is no reason to end what it tells of. */
  #try(put: () => void): boolean {
    try {
      put();
      return true;
    } catch (error) {
      if (!this.#complained) this.teller.warn((error as Error).message);
      this.#complained = true;
      return false;
    }
  }
}
