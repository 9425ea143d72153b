import { pino } from "pino";
import { log } from "../streams.js";
import type { Teller } from "./teller.js";

/** Events that are logged as warnings. */
const WARNINGS = ["input skipped", "shard retried", "shard failed"];

/** JSON lines: `time`, `level`, `msg` and, of a dataset, the fingerprint of its `run`. */
export function openJsonLog(quiet: boolean): Teller {
  let logger = pino(
    {
      level: quiet ? "error" : "info",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: log.writeJson },
  );
  return {
    progress() {},
    event({ event, ...what }) {
      if (event === "planned" && "fingerprint" in what)
        logger = logger.child({ run: what.fingerprint });
      if ("message" in what) logger.warn(what.message);
      else if (WARNINGS.includes(event)) logger.warn(what, event);
      else logger.info(what, event);
    },
    heartbeat({ rows, rowsDone, shards, shardsDone, ...state }) {
      const { rowsPerSecond, bytesPerSecond, secondsLeft, memoryBytes } = state;
      logger.info(
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
    done: (report) => logger.info({ report }, "done"),
    failed: ({ code, exitCode, message }) =>
      logger.error({ code, exitCode }, message),
    warn: (text) => logger.warn(text),
    stop() {},
  };
}
