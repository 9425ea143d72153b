import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, expect, test } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { commandsOf, readExample } from "../support/examples.js";
import { workDirectory } from "../support/logits-input.js";
import { expectCode, testDataset } from "./dataset.js";
import { endAll, type Started, startProgram } from "./processes.js";
import { endRedis, hasRedis, startRedis } from "./redis.js";

// Runs the commands of the container examples as process 1 of a process namespace, as a container runtime does.

const at = workDirectory();
afterEach(endAll);
const UNSHARE = ["--pid", "--fork", "--mount-proc"];
const isPermitted = spawnSync("unshare", [...UNSHARE, "true"]).status === 0;

const redis = await startRedis("--requirepass", "open");
afterAll(endRedis);
// One part each.
const dataset = await testDataset(at, redis, { rows: 200, classes: 100 });
const queue = { SOFTJAC_QUEUE: redis.url, SOFTJAC_QUEUE_PASSWORD: "open" };

/** Runs the command of a container as process 1, which the image's ENTRYPOINT makes it. Its threads are slow over b.arrow. */
function inContainer(example: string, name: string, env: object): Started {
  const command = commandsOf(example).find(([word]) => word === name);
  expect(command, `${example}: ${name}`).toBeDefined();
  const args = (command ?? []).map((word) =>
    // One task, one thread.
    /^\d+$/.test(word) ? "1" : word.replace(/^\/data/, at(".")),
  );
  const slow = fileURLToPath(
    new URL("../dataset/threads-that.mjs", import.meta.url),
  );
  return startProgram("unshare", [...UNSHARE, process.execPath, CLI, ...args], {
    ...{ SOFTJAC_CHUNK_ROWS: "5", SOFTJAC_THREADS: "1" },
    ...{ NODE_OPTIONS: `--import ${slow}` },
    ...{ THREADS_DO: "wait", THREADS_AT: "b.arrow" },
    ...env,
  });
}

/** Stops a container as its runtime does: process 1 gets the signal. */
function terminate({ child }: Started): void {
  const children = readFileSync(
    `/proc/${child.pid}/task/${child.pid}/children`,
    "utf8",
  );
  process.kill(Number(children.trim()), "SIGTERM");
}

test.skipIf(!hasRedis || !isPermitted).each([
  ["queue/compose.yaml", {}],
  ["kubernetes/queue-workers.yaml", {}],
])("SIGTERM to a worker of %s: 75, and its shard is released", async (name) => {
  const output = dataset.newOutput();
  await expectCode(dataset.commands.submitUnder({ env: queue }, output), 0);
  const text = readExample(name);
  const [, address = ""] =
    /SOFTJAC_QUEUE\W+(?:value\W+)?(redis:[^\s"]*)/.exec(text) ?? [];
  const worker = inContainer(name, "worker", {
    ...queue,
    SOFTJAC_QUEUE: address.replace("redis:6379", `127.0.0.1:${redis.port}`),
  });
  await worker.until(/threads-that: wait/);
  terminate(worker);
  const { stderr } = await expectCode(worker, 75);
  expect(stderr).toMatch(/part-00001-of-00003\.arrow.*the worker is stopping/);
  const [waiting = ""] = await redis.client.keys("bull:*:wait");
  expect(await redis.client.llen(waiting)).toBe(2);
  await redis.client.flushall();
});

test.skipIf(!hasRedis || !isPermitted)(
  "SIGTERM to a task of kubernetes/job.yaml: 75, and what is done is kept",
  async () => {
    const output = at("jacobian");
    const planned = ["plan", dataset.folder, "-o", output, ...dataset.parts];
    expect(softjac(...planned).status).toBe(0);
    const task = inContainer("kubernetes/job.yaml", "run-shard", {
      JOB_COMPLETION_INDEX: "0",
    });
    await task.until(/threads-that: wait/);
    terminate(task);
    const { stderr } = await expectCode(task, 75);
    expect(stderr).toMatch(
      /stopped with 2 of 3 shards done; run the same command again/,
    );
  },
);
