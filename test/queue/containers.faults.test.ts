import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { commandsOf, readExample } from "../support/examples.js";
import { queueWorld } from "./dataset.js";
import { expectCode, type Started, startProgram } from "./processes.js";
import { hasRedis } from "./redis.js";

// Commands of the container examples as process 1 of a namespace, for which the kernel ignores signals without a handler.

const UNSHARE = ["--pid", "--fork", "--mount-proc"];
const isPermitted = spawnSync("unshare", [...UNSHARE, "true"]).status === 0;
const containerTest = test.skipIf(!hasRedis || !isPermitted);
// One shard each.
const { at, redis, dataset } = await queueWorld(
  { rows: 200, classes: 100 },
  ...["--requirepass", "open"],
);
const queue = { SOFTJAC_QUEUE: redis.url, SOFTJAC_QUEUE_PASSWORD: "open" };
const slow = new URL("../dataset/threads-that.mjs", import.meta.url);

/** Runs a command of an example, whose threads are slow over b.arrow, and stops it as a container runtime does. */
async function stopped(example: string, name: string, env: object) {
  const [args = []] = commandsOf(example).filter(([word]) => word === name);
  const words = args.map((word) =>
    // One task, one thread.
    /^\d+$/.test(word) ? "1" : word.replace(/^\/data/, at(".")),
  );
  const line = [...UNSHARE, process.execPath, CLI, ...words];
  const started: Started = startProgram("unshare", line, {
    ...{ SOFTJAC_CHUNK_ROWS: "5", SOFTJAC_THREADS: "1" },
    ...{ NODE_OPTIONS: `--import ${fileURLToPath(slow)}` },
    ...{ THREADS_DO: "wait", THREADS_AT: "b.arrow", ...env },
  });
  await started.until(/threads-that: wait/);
  const { pid } = started.child;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  process.kill(Number(children), "SIGTERM");
  return (await expectCode(started, 75)).stderr;
}

containerTest.each(["queue/compose.yaml", "kubernetes/queue-workers.yaml"])(
  "SIGTERM to a worker of %s releases its shard",
  async (name) => {
    const output = dataset.newOutput();
    const env = { env: queue };
    await expectCode(dataset.commands.submit(output, [], env), 0);
    const [, address = ""] =
      /SOFTJAC_QUEUE\W+(?:value\W+)?(redis:[^\s"]*)/.exec(readExample(name)) ??
      [];
    const own = address.replace("redis:6379", `127.0.0.1:${redis.port}`);
    expect(own).toContain(`:${redis.port}`);
    const said = await stopped(name, "worker", {
      ...{ ...queue, SOFTJAC_QUEUE: own },
    });
    expect(said).toMatch(/part-00001-of-00003\.arrow.*the worker is stopping/);
    const [waiting = ""] = await redis.client.keys("bull:*:wait");
    expect(await redis.client.llen(waiting)).toBe(2);
  },
);

containerTest(
  "SIGTERM to a task of kubernetes/job.yaml keeps what is done",
  async () => {
    const line = ["plan", dataset.folder, "-o", at("jacobian")];
    expect(softjac(...line, ...dataset.parts).status).toBe(0);
    const task = { JOB_COMPLETION_INDEX: "0" };
    expect(await stopped("kubernetes/job.yaml", "run-shard", task)).toContain(
      "stopped with 2 of 3 shards done; run the same command again",
    );
  },
);
