import type { Redis } from "ioredis";
import {
  AbortedError,
  ConfigurationError,
  PermissionError,
  ServiceUnavailableError,
} from "../errors.js";
import type { QueuePackages } from "./packages.js";
import type { QueueAddress } from "./queue-address.js";

/** A connection to a queue's Redis that has been made, and comes back by itself when it is lost. */
export interface Connection {
  redis: Redis;
  address: QueueAddress;
  /** What is wrong with this Redis for a queue, and does not end the work. */
  warnings: readonly string[];
  /** BullMQ is not to look again: it would write to the console. */
  skipVersionCheck: boolean;
  close(): void;
}

interface ConnectOptions {
  /** For the first connection. */
  seconds: number;
  /** Calls wait for a Redis that has gone, however long; else they fail after ANSWER_SECONDS or a few tries to connect. */
  waits: boolean;
  /** Ends the first connection. */
  signal?: AbortSignal | undefined;
}

/** A Redis that is held up for longer is as good as gone. */
export const ANSWER_SECONDS = 15;

/** What needs no second try. */
const REFUSED = /^(?:WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/;

/**
 * Connects to the Redis of a queue, trying again for so many seconds.
 * @throws ServiceUnavailableError, PermissionError, ConfigurationError for a node of a cluster, AbortedError
 */
export async function connect(
  { ioredis }: Pick<QueuePackages, "ioredis">,
  address: QueueAddress,
  { seconds, waits, signal }: ConnectOptions,
): Promise<Connection> {
  const { host, port, db, tls, username, password } = address;
  let isOpen = false;
  const redis = new ioredis.Redis({
    host,
    port,
    db,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: { servername: host } }),
    lazyConnect: true,
    maxRetriesPerRequest: waits ? null : 10,
    ...(!waits && { commandTimeout: ANSWER_SECONDS * 1000 }),
    connectTimeout: Math.max(1000, seconds * 1000),
    retryStrategy: (times) => (isOpen ? Math.min(times * 250, 5000) : 250),
  });
  // Told by whoever works with the connection; without a listener the library writes to the console.
  redis.on("error", () => {});
  try {
    await opened(redis, address, { seconds, signal });
    isOpen = true;
    const found = await orAborted(signal, examined(redis, address));
    return { redis, address, ...found, close: () => redis.disconnect() };
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

/** Waits for work until a signal is aborted; the work goes on then, and nobody hears of it. @throws AbortedError */
export async function orAborted<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new AbortedError({ cause: signal?.reason }));
  });
  aborted.catch(() => {});
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

async function opened(
  redis: Redis,
  { shown }: QueueAddress,
  { seconds, signal }: Pick<ConnectOptions, "seconds" | "signal">,
): Promise<void> {
  let last: Error | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    const ready = new Promise<void>((resolve, reject) => {
      redis.once("ready", resolve);
      redis.on("error", (error) => {
        last = error;
        if (REFUSED.test(error.message))
          reject(
            new PermissionError(
              shown,
              `Redis refused the login: ${error.message}; check SOFTJAC_QUEUE_PASSWORD and the user in the URL`,
              { cause: error },
            ),
          );
      });
      timer = setTimeout(
        () =>
          reject(
            new ServiceUnavailableError(
              shown,
              `no connection to Redis within ${seconds} s: ${reasonOf(last)}`,
              { cause: last },
            ),
          ),
        seconds * 1000,
      );
      // It goes on trying by itself.
      redis.connect().catch((error) => {
        last ??= error;
      });
    });
    await orAborted(signal, ready);
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(error: Error | undefined): string {
  if (!error) return "no answer";
  return (error as NodeJS.ErrnoException).code ?? error.message;
}

/** Whether this Redis may lose jobs, or is too old. */
async function examined(
  redis: Redis,
  { shown }: QueueAddress,
): Promise<Pick<Connection, "warnings" | "skipVersionCheck">> {
  // All sections: cluster_enabled is not in those that every server gives by default.
  const info = await redis.info("all").catch(() => "");
  const of = (name: string) =>
    new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1];
  if (of("cluster_enabled") === "1")
    throw new ConfigurationError(
      `${shown}: Redis runs in cluster mode, which queues do not support; use a server with cluster-enabled no`,
    );
  const [major = 0, minor = 0] = (of("redis_version") ?? "7.0")
    .split(".")
    .map(Number);
  if (major * 100 + minor < 602)
    throw new ServiceUnavailableError(
      shown,
      `expected Redis 6.2 or newer, or Valkey, found ${of("redis_version")}`,
    );
  const policy = of("maxmemory_policy");
  const isSafe = policy === "noeviction";
  const warnings = isSafe
    ? []
    : [
        `${shown}: expected maxmemory-policy noeviction, found ${policy ?? "no answer"}; Redis may lose jobs, which softjac wait resubmits`,
      ];
  return { warnings, skipVersionCheck: !isSafe };
}
