import type { DatasetEvent } from "../../dataset/events.js";
import type { Settings } from "../command.js";
import type { State } from "./state.js";

/** Tells somebody how a command goes. */
export interface Teller {
  /** @param state as it is when asked for: most have no use for so many. */
  progress(state: () => State): void;
  event(event: DatasetEvent): void;
  heartbeat(state: State): void;
  /** The end: its report, and that for people. */
  done(report: unknown, text: string): void;
  failed(failure: Failure): void;
  /** What was met that does not end the command. */
  warn(text: string): void;
  /** Nothing more is under way. */
  stop(): void;
}

export interface Failure {
  code: string;
  /** One sentence. */
  message: string;
  exitCode: number;
}

/** On standard error, as all that is not the result: for people or, `--log-format json`, for machines. */
export async function openTeller(settings: Settings): Promise<Teller> {
  const quiet = settings.get("quiet") === true;
  if (settings.get("logFormat") === "json") {
    const { openJsonLog } = await import("./json-log.js");
    return openJsonLog(quiet);
  }
  const { openHumanLog } = await import("./human-log.js");
  const isJson = settings.get("json") === true;
  return openHumanLog({ quiet, isJson });
}
