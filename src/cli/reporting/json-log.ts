import { pino } from "pino";
import type { Teller } from "./teller.js";

/** Events that somebody may want to look into. */
const WARNINGS = ["input left out", "part retried", "part failed"];

/** JSON lines: `time`, `level`, `msg` and, of a dataset, the fingerprint of its `run`. */
export function openJsonLog(
  stream: NodeJS.WritableStream,
  quiet: boolean,
): Teller {
  let log = pino(
    {
      level: quiet ? "error" : "info",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return {
    progress() {},
    event({ event, ...what }) {
      if (event === "planned" && "fingerprint" in what)
        log = log.child({ run: what.fingerprint });
      if ("message" in what) log.warn(what.message);
      else if (WARNINGS.includes(event)) log.warn(what, event);
      else log.info(what, event);
    },
    heartbeat({ rows, rowsDone, shards, shardsDone, ...state }) {
      const { rowsPerSecond, bytesPerSecond, secondsLeft, memoryBytes } = state;
      log.info(
        {
          rows,
          rowsDone,
          shards,
          shardsDone,
          rowsPerSecond,
          bytesPerSecond,
          secondsLeft,
          memoryBytes,
        },
        "heartbeat",
      );
    },
    done: (report) => log.info({ report }, "done"),
    failed: ({ code, exitCode, message, stack }) =>
      log.error({ code, exitCode, stack }, message),
    warn: (text) => log.warn(text),
    stop() {},
  };
}
