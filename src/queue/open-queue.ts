import type { Queue } from "bullmq";
import { orAborted } from "../dataset/graceful-stop.js";
import {
  PermissionError,
  ServiceUnavailableError,
  SoftjacError,
} from "../errors.js";
import { VERSION } from "../version.js";
import {
  ANSWER_SECONDS,
  type Connection,
  connect,
  type QueueOptions,
} from "./connection.js";

/** Queue for submitting and inspecting jobs. */
export interface OpenQueue {
  connection: Connection;
  /**
   * Calls the queue, and converts errors of Redis to errors of softjac.
   * @param advice appended to their message
   * @throws ServiceUnavailableError, PermissionError, AbortedError
   */
  ask<T>(work: (queue: Queue) => Promise<T>, advice?: string): Promise<T>;
  close(): Promise<void>;
}

/** @throws UsageError, ConfigurationError, ServiceUnavailableError, PermissionError */
export async function openQueue(
  options: QueueOptions,
  signal?: AbortSignal,
): Promise<OpenQueue> {
  const connection = await connect(options, false, signal);
  const { bullmq, redis, shown, skipVersionCheck } = connection;
  const name = queueNameOf(options.queueName);
  const queue = new bullmq.Queue(name, { connection: redis, skipVersionCheck });
  // `ask` throws the errors; without a listener BullMQ writes to the console.
  queue.on("error", () => {});
  return {
    connection,
    async ask(work, advice = "") {
      try {
        return await orAborted(signal, work(queue));
      } catch (error) {
        throw softjacError(shown, error as Error, advice);
      }
    },
    async close() {
      redis.disconnect();
      await queue.close().catch(() => {});
    },
  };
}

function softjacError(shown: string, cause: Error, advice: string): Error {
  if (cause instanceof SoftjacError) return cause;
  const { message } = cause;
  const lacks = `the Redis user lacks permissions that queues need (${message})`;
  if (/NOPERM/.test(message))
    return new PermissionError(shown, lacks, { cause });
  const [, reason = `Redis refused a command (${message})`] =
    REFUSALS.find(([pattern]) => pattern.test(message)) ?? [];
  return new ServiceUnavailableError(shown, `${reason}${advice}`, { cause });
}

const REFUSALS: readonly [RegExp, string][] = [
  [/READONLY/, "Redis is a read-only replica"],
  [/\bOOM\b/, "Redis is out of memory (maxmemory)"],
  [/MISCONF/, "Redis cannot save to its disk (MISCONF)"],
  [/LOADING/, "Redis is loading its data"],
  [/MASTERDOWN/, "Redis is a replica without its primary"],
  [/Command timed out/, `Redis did not answer within ${ANSWER_SECONDS} s`],
  [
    /max retries|Connection is closed|ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_/,
    "the connection to Redis was lost",
  ],
];

/**
 * Returns the name of the queue in BullMQ. Each version has its own queues, because results of two versions may differ
 * in the last digit and must not be mixed in one run.
 */
export function queueNameOf(name = "softjac"): string {
  return `${name}-${VERSION}`;
}
