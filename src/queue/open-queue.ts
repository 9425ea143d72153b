import type { Queue } from "bullmq";
import {
  PermissionError,
  ServiceUnavailableError,
  SoftjacError,
} from "../errors.js";
import {
  ANSWER_SECONDS,
  type Connection,
  connect,
  orAborted,
} from "./connection.js";
import { queueNameOf } from "./jobs.js";
import type { QueueOptions } from "./options.js";
import { queuePackages } from "./packages.js";
import { queueAddress } from "./queue-address.js";

/** A queue to put jobs in and to look at. */
export interface OpenQueue {
  connection: Connection;
  /**
   * Does work with the queue; what the Redis refuses becomes one of our errors.
   * @param advice the end of their sentence
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
  const address = queueAddress(options);
  const packages = queuePackages();
  const seconds = options.connectTimeout ?? 10;
  const connection = await connect(packages, address, {
    seconds,
    waits: false,
    signal,
  });
  const queue = new packages.bullmq.Queue(queueNameOf(options.queueName), {
    connection: connection.redis,
    skipVersionCheck: connection.skipVersionCheck,
  });
  // What fails is told where it is awaited.
  queue.on("error", () => {});
  return {
    connection,
    async ask(work, advice = "") {
      try {
        return await orAborted(signal, work(queue));
      } catch (error) {
        throw refusedBy(address.shown, error as Error, advice);
      }
    },
    async close() {
      connection.close();
      await queue.close().catch(() => {});
    },
  };
}

/** What a Redis or the connection to it refuses, as one of our errors. */
function refusedBy(shown: string, error: Error, advice: string): Error {
  if (error instanceof SoftjacError) return error;
  const { message } = error;
  const [, found = `Redis refused a command (${message})`] =
    REFUSALS.find(([pattern]) => pattern.test(message)) ?? [];
  return /NOPERM/.test(message)
    ? new PermissionError(
        shown,
        `the Redis user lacks permissions that queues need (${message})`,
        { cause: error },
      )
    : new ServiceUnavailableError(shown, `${found}${advice}`, { cause: error });
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
