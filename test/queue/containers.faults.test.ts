import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, expect, test } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { commandsOf, readExample } from "../support/examples.js";
import { workDirectory } from "../support/logits-input.js";
import { expectCode, testDataset } from "./dataset.js";
import { endAll, startProgram } from "./processes.js";
import { endRedis, hasRedis, startRedis } from "./redis.js";

// Runs the commands of the container examples as process 1 of a process namespace, as a container runtime does.

const at = workDirectory();
afterEach(endAll);
const UNSHARE = ["--pid", "--fork", "--mount-proc"];
const isPermitted = spawnSync("unshare", [...UNSHARE, "true"]).status === 0;
const containerTest = test.skipIf(!hasRedis || !isPermitted);

const redis = await startRedis("--requirepass", "open");
afterAll(endRedis);
const dataset = await testDataset(at, redis, { rows: 200, classes: 100 });
const queue = { SOFTJAC_QUEUE: redis.url, SOFTJAC_QUEUE_PASSWORD: "open" };
const slow = new URL("../dataset/threads-that.mjs", import.meta.url);

/** Runs a command of an example, stops it while it reads b.arrow, and returns its log. */
async function stopped(example: string, name: string, env: object) {
  const command = commandsOf(example).find(([word]) => word === name);
  const args = (command ?? []).map((word) =>
    // One task, one thread.
    /^\d+$/.test(word) ? "1" : word.replace(/^\/data/, at(".")),
  );
  const words = [...UNSHARE, process.execPath, CLI, ...args];
  const container = startProgram("unshare", words, {
    ...{ SOFTJAC_CHUNK_ROWS: "5", SOFTJAC_THREADS: "1" },
    ...{ NODE_OPTIONS: `--import ${fileURLToPath(slow)}` },
    ...{ THREADS_DO: "wait", THREADS_AT: "b.arrow" },
    ...env,
  });
  await container.until(/threads-that: wait/);
  const { pid } = container.child;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  process.kill(Number(children.trim()), "SIGTERM");
  return (await expectCode(container, 75)).stderr;
}

containerTest.each(["queue/compose.yaml", "kubernetes/queue-workers.yaml"])(
  "SIGTERM to a worker of %s: 75, and its shard is released",
  async (name) => {
    await dataset.submitted({ queuePassword: "open" });
    const [, address = ""] =
      /SOFTJAC_QUEUE\W+(?:value\W+)?(redis:[^\s"]*)/.exec(readExample(name)) ??
      [];
    const url = address.replace("redis:6379", `127.0.0.1:${redis.port}`);
    const env = { ...queue, SOFTJAC_QUEUE: url };
    const stderr = await stopped(name, "worker", env);
    expect(stderr).toMatch(
      /part-00001-of-00003\.arrow.*the worker is stopping/,
    );
    const [waiting = ""] = await redis.client.keys("bull:*:wait");
    expect(await redis.client.llen(waiting)).toBe(2);
    await redis.client.flushall();
  },
);

containerTest(
  "SIGTERM to a task of kubernetes/job.yaml: 75, and completed shards are kept",
  async () => {
    const output = at("jacobian");
    const { folder, parts } = dataset;
    expect(softjac("plan", folder, "-o", output, ...parts).status).toBe(0);
    const env = { JOB_COMPLETION_INDEX: "0" };
    expect(await stopped("kubernetes/job.yaml", "run-shard", env)).toMatch(
      /stopped with 2 of 3 shards done; run the same command again/,
    );
  },
);
