import type { DatasetEvent } from "../../dataset/events.js";
import { printable, shortName } from "../../printable.js";
import type { Settings } from "../command.js";
import { numberOf } from "../format.js";
import { log as stderr } from "../streams.js";
import { figures, openProgressBar, type Status } from "./status.js";

/** Log of a command on standard error. */
export interface Log {
  /** Reports progress; `status` is computed only if it is needed. */
  progress(status: () => Status): void;
  event(event: DatasetEvent): void;
  heartbeat(status: Status): void;
  /** Reports success; `text` is the report for people. */
  done(report: object, text: string): void;
  failed(failure: Failure): void;
  /** @param isAlways whether the text explains the exit code, so that --quiet does not hide it */
  warn(text: string, isAlways?: boolean): void;
  /** Removes the progress bar. */
  stop(): void;
}

export interface Failure {
  code: string;
  message: string;
  exitCode: number;
}

/** Opens the log in the format of the settings: lines and a progress bar for people, or JSON lines. */
export function openLog(settings: Settings): Promise<Log> {
  const quiet = settings.get("quiet") === true;
  return settings.get("logFormat") === "json"
    ? openJsonLog(quiet)
    : openHumanLog(quiet, settings.get("json") === true);
}

async function openHumanLog(quiet: boolean, isJson: boolean): Promise<Log> {
  const { terminal } = stderr;
  const bar = terminal && !quiet ? await openProgressBar(terminal) : null;
  const write = bar?.line ?? stderr.write;
  const line = (text: string) => write(`softjac: ${printable(text)}\n`);
  return {
    progress: (status) => bar?.update(status()),
    event(event) {
      const text = eventText(event);
      if (event.event === "logits" && isJson) return;
      if (text && (!quiet || ALWAYS_SHOWN.includes(event.event))) line(text);
    },
    heartbeat(status) {
      if (!quiet && !terminal) stderr.write(`${figures(status).join(", ")}\n`);
    },
    done: (_, text) => stderr.write(text),
    failed: ({ message }) => stderr.write(`softjac: ${printable(message)}\n`),
    warn: (text, isAlways) => (isAlways || !quiet) && line(text),
    stop: () => bar?.stop(),
  };
}

/** Events that are shown even with --quiet, and that JSON lines report as warnings. */
const ALWAYS_SHOWN = ["input skipped", "shard retried", "shard failed"];

/** Formats an event for people; null if it is not shown. */
function eventText(event: DatasetEvent): string | null {
  switch (event.event) {
    case "logits":
      return logitsText(event);
    case "input skipped":
      return `input skipped: ${event.error}`;
    case "shard retried":
      return `${event.file}: ${event.error}; computing it again`;
    case "shard failed":
      return `${event.file}: ${event.error}${event.willRetry ? "; it will be retried" : ""}`;
    case "shard released":
      return `${event.file}: released (${event.reason})`;
    case "warning":
      return event.message;
    case "submitted":
      return event.submission > 0
        ? `submitted again: ${numberOf(event.shards, "shard")}`
        : null;
    case "stopping":
      return stoppingText(event.graceSeconds);
    default:
      return null;
  }
}

function logitsText(event: Extract<DatasetEvent, { event: "logits" }>): string {
  const { column, classes, type, firstClass: first, lastClass: last } = event;
  const from = column === null ? "the array" : shortName(column);
  const number = numberOf(classes, "class", "classes");
  const hasNames = first !== null && last !== null;
  const names = hasNames ? `: ${shortName(first)} to ${shortName(last)}` : "";
  return `reading logits from ${from} (${type}, ${number}${names})`;
}

function stoppingText(grace: number): string {
  const end = grace > 0 ? `has ${grace} s to finish` : "is abandoned";
  return `stopping: the current shard ${end} (a second signal stops at once)`;
}

const HEARTBEAT = [
  ...(["rows", "rowsDone", "shards", "shardsDone", "rowsPerSecond"] as const),
  ...(["bytesPerSecond", "secondsLeft", "memoryBytes"] as const),
];

/** Opens a log of JSON lines with `time`, `level`, `msg` and, for datasets, `run` (the fingerprint). */
async function openJsonLog(quiet: boolean): Promise<Log> {
  const { pino } = await import("pino");
  let logger = pino(
    {
      level: quiet ? "error" : "info",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: stderr.writeJson },
  );
  return {
    progress() {},
    event({ event, ...fields }) {
      if (event === "planned" && "fingerprint" in fields)
        logger = logger.child({ run: fields.fingerprint });
      if ("message" in fields) logger.warn(fields.message);
      else
        logger[ALWAYS_SHOWN.includes(event) ? "warn" : "info"](fields, event);
    },
    heartbeat(status) {
      const shown = HEARTBEAT.map((name) => [name, status[name]]);
      logger.info(Object.fromEntries(shown), "heartbeat");
    },
    done: (report) => logger.info({ report }, "done"),
    failed: ({ code, exitCode, message }) =>
      logger.error({ code, exitCode }, message),
    warn: (text, isAlways) =>
      logger[isAlways && quiet ? "error" : "warn"](text),
    stop() {},
  };
}
