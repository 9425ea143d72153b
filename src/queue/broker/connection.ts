import { createRequire } from "node:module";
import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import {
  ConfigurationError,
  PermissionError,
  ServiceUnavailableError,
  SoftjacError,
  UsageError,
} from "../../errors.js";
import { orAborted, withWatchdog } from "../../io/waiting.js";
import type { OptionsOf } from "../../options/options-table.js";
import { VERSION } from "../../version.js";

/** Address of a queue on a Redis server. */
export type QueueOptions = Pick<
  OptionsOf<"submit">,
  "queue" | "queuePassword" | "queueName" | "connectTimeout"
>;

/** Connection to a Redis server, which reconnects automatically. */
export interface Connection {
  bullmq: typeof import("bullmq");
  redis: Redis;
  /** URL of the server without the password. */
  shown: string;
  /** Settings of this server that may lose jobs. */
  warnings: readonly string[];
  /** Option of BullMQ: its own check of the version would write warnings to the console. */
  skipVersionCheck: boolean;
}

/** Seconds without an answer after which Redis counts as unreachable. */
const ANSWER_SECONDS = 15;

/** Errors of Redis for which connecting again is useless. */
const LOGIN_ERROR =
  /^(?:WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/;

/**
 * Connects to Redis, retrying for `connectTimeout` seconds.
 * @param waits whether later calls wait for an unreachable Redis without limit; otherwise they fail after
 * ANSWER_SECONDS or 10 attempts to reconnect
 * @param signal aborts the first connection
 */
export async function connect(
  options: QueueOptions,
  waits: boolean,
  signal?: AbortSignal,
): Promise<Connection> {
  const { shown, ...server } = queueAddress(options);
  const { bullmq, ioredis } = queuePackages();
  const { connectTimeout: seconds = 10 } = options;
  let isOpen = false;
  const redis = new ioredis.Redis({
    ...server,
    lazyConnect: true,
    maxRetriesPerRequest: waits ? null : 10,
    ...(!waits && { commandTimeout: ANSWER_SECONDS * 1000 }),
    connectTimeout: Math.max(1000, seconds * 1000),
    retryStrategy: (times) => (isOpen ? Math.min(times * 250, 5000) : 250),
  });
  try {
    await connected(redis, shown, seconds, signal);
    isOpen = true;
    const checked = await orAborted(signal, checkServer(redis, shown));
    return { bullmq, redis, shown, ...checked };
  } catch (error) {
    // Ending a connection whose TLS is being set up can fail twice, and ioredis listens to the first error only.
    redis.stream?.on("error", () => {});
    redis.disconnect();
    throw error;
  }
}

/**
 * Loads the optional packages. Both are CommonJS, and `require` takes a third less time than an import, which first
 * reads all their files for the names of exports.
 */
function queuePackages(): {
  bullmq: typeof import("bullmq");
  ioredis: Pick<typeof import("ioredis"), "Redis">;
} {
  const require = createRequire(import.meta.url);
  try {
    return { bullmq: require("bullmq"), ioredis: require("ioredis") };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND")
      throw cause;
    throw new ConfigurationError(
      "queues need the packages bullmq and ioredis: npm install bullmq ioredis",
      { cause },
    );
  }
}

/**
 * Parses the URL of a queue. Returns options of ioredis, and in `shown` the URL without its password.
 * @throws UsageError without the URL, which may contain a password
 */
export function queueAddress({ queue, queuePassword }: QueueOptions) {
  const url = URL.canParse(queue) ? new URL(queue) : null;
  if (
    !url?.hostname ||
    !/^rediss?:$/.test(url.protocol) ||
    !/^\/?\d{0,4}$/.test(url.pathname) ||
    url.search + url.hash !== ""
  )
    throw new UsageError(
      "queue: not a Redis URL; write it as in redis://host:6379/0 or rediss://user@host:6380",
    );
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || 6379);
  const db = Number(url.pathname.slice(1) || 0);
  const username = percentDecoded(url.username);
  const password = percentDecoded(url.password) || queuePassword;
  const user = username ? `${encodeURIComponent(username)}@` : "";
  const shown = `${url.protocol}//${user}${url.hostname}:${port}/${db}`;
  return {
    ...{ host, port, db, shown },
    ...(username && { username }),
    ...(password !== undefined && { password }),
    ...(url.protocol === "rediss:" && { tls: { servername: host } }),
  };
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Waits for the first connection. @throws ServiceUnavailableError, PermissionError */
async function connected(
  redis: Redis,
  shown: string,
  seconds: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  let cause: NodeJS.ErrnoException | undefined;
  const ready = new Promise<void>((resolve, reject) => {
    redis.once("ready", resolve);
    // The callers report later errors; without a listener the library writes to the console.
    redis.on("error", (error) => {
      cause = error;
      const text = `Redis refused the login: ${error.message}; check SOFTJAC_QUEUE_PASSWORD and the user in the URL`;
      if (LOGIN_ERROR.test(error.message))
        reject(new PermissionError(shown, text, { cause }));
    });
  });
  // ioredis retries by itself.
  redis.connect().catch((error) => {
    cause ??= error;
  });
  const late = () => {
    const reason = cause?.code ?? cause?.message ?? "no answer";
    const text = `no connection to Redis within ${seconds} s: ${reason}`;
    return new ServiceUnavailableError(shown, text, { cause });
  };
  await withWatchdog(seconds, () => orAborted(signal, ready), late);
}

/** Checks version and settings. @throws ServiceUnavailableError for an old version, ConfigurationError for a cluster */
async function checkServer(
  redis: Redis,
  shown: string,
): Promise<Pick<Connection, "warnings" | "skipVersionCheck">> {
  // Some servers leave cluster_enabled out of the default sections.
  const info = await redis.info("all").catch(() => "");
  const infoField = (name: string) =>
    new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1];
  if (infoField("cluster_enabled") === "1")
    throw new ConfigurationError(
      `${shown}: Redis runs in cluster mode, which queues do not support; use a server with cluster-enabled no`,
    );
  const version = infoField("redis_version") ?? "7.0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const old = `expected Redis 6.2 or newer, or Valkey, found ${version}`;
  if (major * 100 + minor < 602) throw new ServiceUnavailableError(shown, old);
  const policy = infoField("maxmemory_policy");
  if (policy === "noeviction") return { warnings: [], skipVersionCheck: false };
  const warning = `${shown}: expected maxmemory-policy noeviction, found ${policy ?? "no answer"}; Redis may lose jobs, which softjac wait resubmits`;
  return { warnings: [warning], skipVersionCheck: true };
}

/**
 * Reports each loss and return of the connection.
 * @param meanwhile clause of the message about the work that continues during an outage
 * @returns a function that stops reporting
 */
export function reportOutages(
  { redis, shown }: Connection,
  meanwhile: string,
  warn: (message: string) => void,
): () => void {
  let wasReady = true;
  const onChange = () => {
    const isReady = redis.status === "ready";
    if (isReady === wasReady) return;
    wasReady = isReady;
    const lost = `the connection to the queue was lost; ${meanwhile}`;
    warn(`${shown}: ${isReady ? "reconnected to the queue" : lost}`);
  };
  redis.on("close", onChange).on("ready", onChange);
  return () => redis.off("close", onChange).off("ready", onChange);
}

/** Queue for submitting and inspecting jobs. */
export interface OpenQueue {
  connection: Connection;
  /**
   * Calls the queue, and converts errors of Redis to errors of softjac.
   * @param advice appended to their message
   */
  ask<T>(work: (queue: Queue) => Promise<T>, advice?: string): Promise<T>;
  /** Returns whether the queue is connected now. */
  isReady(): boolean;
  close(): Promise<void>;
}

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
    isReady: () => redis.status === "ready",
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
