import { createRequire } from "node:module";
import type { Redis } from "ioredis";
import { orAborted } from "../dataset/graceful-stop.js";
import {
  ConfigurationError,
  PermissionError,
  ServiceUnavailableError,
  UsageError,
} from "../errors.js";

/** Connection to a queue on a Redis server. */
export interface QueueOptions {
  /** URL of the Redis server: `redis://host:port/db`, or `rediss://` for TLS. */
  queue: string;
  /** Password of the Redis server, if the URL has none. */
  queuePassword?: string | undefined;
  /** Name of the queue; several queues can share a server. Default: softjac. */
  queueName?: string | undefined;
  /** Seconds to wait for the first connection; default: 10. */
  connectTimeout?: number | undefined;
}

/** A connection to the Redis of a queue; it reconnects by itself. */
export interface Connection {
  bullmq: typeof import("bullmq");
  redis: Redis;
  /** URL of the server without the password. */
  shown: string;
  /** Properties of this Redis that queues should not have, but that do not end the work. */
  warnings: readonly string[];
  /** Keeps BullMQ from checking the version again: it would write to the console. */
  skipVersionCheck: boolean;
}

/** A Redis that does not answer for longer counts as gone. */
export const ANSWER_SECONDS = 15;

/** Errors that need no second try. */
const REFUSED = /^(?:WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/;

/**
 * Connects to the Redis of a queue, trying again for `connectTimeout` seconds.
 * @param waits whether later calls wait for a Redis that is gone, however long; else they fail after ANSWER_SECONDS or a few
 * tries to connect
 * @param signal ends the first connection
 * @throws ServiceUnavailableError, PermissionError, UsageError, AbortedError; ConfigurationError for a node of a cluster, or
 * without the packages
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
  // The callers report errors; without a listener the library writes to the console.
  redis.on("error", () => {});
  try {
    await orAborted(signal, opened(redis, shown, seconds));
    isOpen = true;
    const found = await orAborted(signal, examined(redis, shown));
    return { bullmq, redis, shown, ...found };
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

/**
 * Loads the packages that only queues need. Both are CommonJS: `require` loads them in two thirds of the time of an import,
 * which reads all their files for names first.
 * @throws ConfigurationError
 */
function queuePackages(): {
  bullmq: typeof import("bullmq");
  ioredis: Pick<typeof import("ioredis"), "Redis">;
} {
  const require = createRequire(import.meta.url);
  try {
    return { bullmq: require("bullmq"), ioredis: require("ioredis") };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND")
      throw error;
    throw new ConfigurationError(
      "queues need the packages bullmq and ioredis: npm install bullmq ioredis",
      { cause: error },
    );
  }
}

/**
 * Returns the address of a queue as options of ioredis, and as messages and reports show it, without the password.
 * @throws UsageError, which does not repeat the address, because a password may be in it
 */
export function queueAddress({
  queue,
  queuePassword,
}: Pick<QueueOptions, "queue" | "queuePassword">) {
  const url = URL.canParse(queue) ? new URL(queue) : null;
  if (
    !url?.hostname ||
    !/^rediss?:$/.test(url.protocol) ||
    !/^\/?\d{0,4}$/.test(url.pathname) ||
    url.search + url.hash !== ""
  )
    throw new UsageError(
      "queue: not a Redis URL; write it as in redis://host:6379/0 or rediss://user@host:6380",
      "queue",
    );
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || 6379);
  const db = Number(url.pathname.slice(1) || 0);
  const username = decoded(url.username);
  const password = decoded(url.password) || queuePassword;
  const at = username ? `${encodeURIComponent(username)}@` : "";
  return {
    ...{ host, port, db },
    ...(username && { username }),
    ...(password !== undefined && { password }),
    ...(url.protocol === "rediss:" && { tls: { servername: host } }),
    shown: `${url.protocol}//${at}${url.hostname}:${port}/${db}`,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Waits for the first connection. @throws ServiceUnavailableError, PermissionError */
async function opened(
  redis: Redis,
  shown: string,
  seconds: number,
): Promise<void> {
  let last: NodeJS.ErrnoException | undefined;
  let timer: NodeJS.Timeout | undefined;
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
    timer = setTimeout(() => {
      const reason = last?.code ?? last?.message ?? "no answer";
      reject(
        new ServiceUnavailableError(
          shown,
          `no connection to Redis within ${seconds} s: ${reason}`,
          { cause: last },
        ),
      );
    }, seconds * 1000);
    // It tries again by itself.
    redis.connect().catch((error) => {
      last ??= error;
    });
  });
  await ready.finally(() => clearTimeout(timer));
}

/** Checks whether this Redis may lose jobs, or is too old. @throws ServiceUnavailableError, ConfigurationError */
async function examined(
  redis: Redis,
  shown: string,
): Promise<Pick<Connection, "warnings" | "skipVersionCheck">> {
  // All sections: cluster_enabled is not among those that every server returns by default.
  const info = await redis.info("all").catch(() => "");
  const of = (name: string) =>
    new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1];
  if (of("cluster_enabled") === "1")
    throw new ConfigurationError(
      `${shown}: Redis runs in cluster mode, which queues do not support; use a server with cluster-enabled no`,
    );
  const version = of("redis_version") ?? "7.0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major * 100 + minor < 602)
    throw new ServiceUnavailableError(
      shown,
      `expected Redis 6.2 or newer, or Valkey, found ${version}`,
    );
  const policy = of("maxmemory_policy");
  if (policy === "noeviction") return { warnings: [], skipVersionCheck: false };
  const warning = `${shown}: expected maxmemory-policy noeviction, found ${policy ?? "no answer"}; Redis may lose jobs, which softjac wait resubmits`;
  return { warnings: [warning], skipVersionCheck: true };
}

/**
 * Reports each time that a connection is lost, and that it is back.
 * @param goesOn what continues meanwhile
 * @returns a function that ends the reports
 */
export function reportOutages(
  { redis, shown }: Connection,
  goesOn: string,
  tell: (message: string) => void,
): () => void {
  let wasThere = true;
  const onChange = () => {
    const isThere = redis.status === "ready";
    if (isThere === wasThere) return;
    wasThere = isThere;
    tell(
      isThere
        ? `${shown}: reconnected to the queue`
        : `${shown}: the connection to the queue was lost; ${goesOn}`,
    );
  };
  redis.on("close", onChange).on("ready", onChange);
  return () => redis.off("close", onChange).off("ready", onChange);
}
