import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll } from "vitest";

/** A Redis of Debian's redis-server, on a free port, with a folder of its own. */
export interface TestRedis {
  url: string;
  port: number;
  folder: string;
  /** A connection of the test's own. */
  client: Redis;
  /** Ends it, by SIGKILL or as it likes to end. */
  stop(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Keeps it from answering, and lets it go on. */
  pause(): void;
  resume(): void;
  /** On the same port, with the same folder. */
  start(): Promise<void>;
}

const started: TestRedis[] = [];

// Of the whole file: those that a test starts are not left running either.
afterAll(async () => {
  for (const { client, folder, stop } of started) {
    client.disconnect();
    await stop("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Starts a Redis that goes with the test file; nothing is saved unless `more` says so. */
export async function startRedis(...more: string[]): Promise<TestRedis> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "softjac-redis-"));
  let child: ChildProcess | null = null;
  const password = more[more.indexOf("--requirepass") + 1];
  const client = new Redis(port, {
    ...(more.includes("--requirepass") && { password }),
    lazyConnect: true,
    maxRetriesPerRequest: null,
    retryStrategy: () => 50,
  });
  client.on("error", () => {});
  const redis: TestRedis = {
    url: `redis://127.0.0.1:${port}`,
    port,
    folder,
    client,
    async start() {
      child = spawn(
        "redis-server",
        [
          ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder],
          ...["--save", "", "--maxmemory-policy", "noeviction", ...more],
        ],
        { stdio: "ignore" },
      );
      if (client.status === "wait") await client.connect().catch(() => {});
      await client.ping();
    },
    pause: () => child?.kill("SIGSTOP"),
    resume: () => child?.kill("SIGCONT"),
    async stop(signal) {
      if (!child || child.exitCode !== null || child.signalCode !== null)
        return;
      const closed = once(child, "exit");
      child.kill(signal);
      await closed;
    },
  };
  started.push(redis);
  await redis.start();
  return redis;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null)
    throw new Error("expected a port");
  return address.port;
}
