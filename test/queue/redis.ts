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

/** Server of Debian's redis-server on a free port, with its own directory. */
export type TestRedis = Awaited<ReturnType<typeof startRedis>>;

export const hasRedis = hasProgram("redis-server");

/** A test that needs Redis. */
export const test = anyTest.skipIf(!hasRedis);

const started: { client: Redis; folder: string; kill(): Promise<void> }[] = [];

/**
 * Ends every server that a test file started. Each file calls it in its own `afterAll`: files that share a process load this
 * module once, so a hook here would run for the first of them only.
 */
export async function endRedis(): Promise<void> {
  for (const { client, folder, kill } of started.splice(0)) {
    client.disconnect();
    await kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts a server, if redis-server is installed; it saves nothing unless `more` says so. */
export async function startRedis(...more: string[]) {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "softjac-redis-"));
  let child: ChildProcess | null = null;
  const password = more[more.indexOf("--requirepass") + 1];
  const client = new Redis(port, {
    ...(more.includes("--requirepass") && { password }),
    ...{ lazyConnect: true, maxRetriesPerRequest: null },
    retryStrategy: () => 50,
  });
  client.on("error", () => {});
  const redis = {
    ...{ url: `redis://127.0.0.1:${port}`, port, folder, client },
    /** Starts it on the same port with the same directory. */
    async start() {
      const args = `--port ${port} --bind 127.0.0.1 --dir ${folder}
        --maxmemory-policy noeviction --save`.split(/\s+/);
      const options = { stdio: "ignore" } as const;
      child = spawn("redis-server", [...args, "", ...more], options);
      if (client.status === "wait") await client.connect().catch(() => {});
      await client.ping();
    },
    pause: () => child?.kill("SIGSTOP"),
    resume: () => child?.kill("SIGCONT"),
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null)
        return;
      const closed = once(child, "exit");
      child.kill("SIGKILL");
      await closed;
    },
  };
  started.push(redis);
  if (hasRedis) await redis.start();
  return redis;
}

/** Resolves once the lease of the only active job has been renewed several times. */
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

/** Returns an unused port below those that the system gives to connections, so that no connection takes it. */
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
