import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { test as anyTest } from "vitest";
import { hasProgram } from "../support/machine.js";

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

export const hasRedis = hasProgram("redis-server");

/** A test that needs a Redis. */
export const test = anyTest.skipIf(!hasRedis);

const started: TestRedis[] = [];

/**
 * Ends every Redis that a test file started. Each file calls it in its own `afterAll`: files that share a process load this
 * module once, so that a hook here would run for the first of them only.
 */
export async function endRedis(): Promise<void> {
  for (const { client, folder, stop } of started.splice(0)) {
    client.disconnect();
    await stop("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Starts a Redis that endRedis ends; nothing is saved unless `more` says so. Where redis-server is not
 * installed, nothing is started.
 */
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
  if (hasRedis) await redis.start();
  return redis;
}

/** Resolves once the lease of the one job that is being worked on has been renewed so many times. */
export async function untilRenewed(
  { client }: TestRedis,
  times: number,
): Promise<void> {
  let [renewed, before] = [0, Number.POSITIVE_INFINITY];
  while (renewed < times) {
    const [lock] = await client.keys("bull:*:lock");
    const left = lock ? await client.pttl(lock) : 0;
    if (left > before) renewed += 1;
    before = left;
    await delay(20);
  }
}

/**
 * A port that nothing listens on, below those that the system gives to connections: nobody takes it by chance before it
 * is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}
