import fs from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { openPlannedRun } from "../../src/dataset/planned-run.js";
import { QueueMonitor } from "../../src/queue/wait.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { filesOf } from "../support/files-of.js";
import { writeLogits } from "../support/logits-input.js";
import { countOf, endWorker, queueWorld } from "./dataset.js";
import { expectCode } from "./processes.js";
import { test } from "./redis.js";

// Shards that cannot be computed, and machines that cannot compute.

// One shard each, of 16 MB: smaller ones are computed without threads.
const size = { rows: 200, classes: 100 };
const { redis, dataset } = await queueWorld(size);
const { here, commands, submitted, completed, workerAt } = dataset;
const { wait } = commands;
const POISONED = "part-00001-of-00003.arrow";
const FAILED = `1 of 3 shards failed; use softjac submit to retry them: ${POISONED}`;

/** Starts a worker whose threads act when they read b.arrow. */
function poisonedWorker(
  THREADS_DO: string,
  more: string[] = [],
  env: Record<string, string> = {},
) {
  return commands.worker(more, {
    preload: ["../dataset/threads-that.mjs"],
    env: { THREADS_DO, THREADS_AT: "b.arrow", ...env },
  });
}

test.each<
  [act: string, reason: string, more?: string[], env?: Record<string, string>]
>([
  ["throw", "a worker thread failed: thrown by the test"],
  ["exit", "worker exited with code"],
  [
    "oom",
    "ERR_INTERNAL: a worker thread failed: Worker terminated due to reaching memory limit",
    [],
    { NODE_OPTIONS: "--max-old-space-size=48" },
  ],
  ["hang", "not done within 1 s (--shard-timeout)", ["--shard-timeout", "1"]],
  ["hang", "no progress for 1 s", ["--stall-timeout", "1"]],
])(
  "threads %s at a shard: it fails with %s, and others are computed",
  async (act, reason, more, env) => {
    // Filling the memory takes seconds.
    const attempts = act === "oom" ? 1 : 2;
    const output = await submitted({ attempts, backoff: 0.1 });
    const poisoned = poisonedWorker(act, more, env);
    await expect(here.wait(output)).rejects.toMatchObject({
      code: "ERR_SHARDS_FAILED",
      message: expect.stringMatching(
        new RegExp(`${FAILED}.*${reason.replace(/[()]/g, "\\$&")}`),
      ),
    });
    expect(countOf(await endWorker(poisoned), "shard completed")).toBe(2);
    const again = await here.submit(output);
    expect(again).toMatchObject({ submitted: 1, queued: 0 });
    await completed(output);
  },
);

test.each(stepOf(4) === 1 ? [1, 2, 4] : [1, 2])(
  "a shard that kills its process fails after %i attempts",
  async (attempts) => {
    const waiting = wait(await submitted({ attempts }));
    let died = 0;
    let isOver = false;
    waiting.ended.then(() => {
      isOver = true;
    });
    while (!isOver) {
      const one = poisonedWorker("kill", ["--lease", "1"]);
      await Promise.race([one.ended, waiting.ended]);
      if (!isOver) died += 1;
      else one.child.kill("SIGTERM");
    }
    await expectCode(
      waiting,
      75,
      `${FAILED}: ERR_STALLED: the worker died or lost its lease in the last of ${attempts} attempts (--attempts)`,
      '"shardsDone":2',
    );
    expect(died).toBe(attempts);
  },
);

test("SIGTERM between two chunks releases the shard without using an attempt", async () => {
  const output = await submitted();
  const slow = poisonedWorker("wait", ["--chunk-rows", "10"]);
  await slow.until(/threads-that: wait/);
  expect(await endWorker(slow)).toContain(
    '"reason":"the worker is stopping","msg":"shard released"',
  );
  const [waiting = ""] = await redis.client.keys("bull:*:wait");
  const ids = await redis.client.lrange(waiting, 0, -1);
  expect(ids).toHaveLength(2);
  // It is the next job, with no failed attempt and one start.
  const [key = ""] = await redis.client.keys(`bull:*:${ids[1]}`);
  const counts = await redis.client.hmget(key, "atm", "ats");
  expect(counts).toEqual([null, "1"]);
  await completed(output);
});

test("a worker with a full disk pauses while another one computes all; then it continues", async () => {
  const output = await submitted({ attempts: 1 });
  const pause = ["--disk-pause", "1"];
  const full = workerAt("enospc at ftruncateSync __tmp-", pause);
  await full.until(
    /no space left on its device; the worker takes no shards for 1 s/,
  );
  expect(await completed(output)).toMatchObject({ shardsComputed: 3 });
  const next = await submitted({ attempts: 1 });
  await full.until(/(shard released[\s\S]*){2}/);
  full.release();
  await here.wait(next);
  expect(countOf(await endWorker(full), "shard completed")).toBe(3);
  dataset.expectSame(next);
});

/** Submits three inputs, of which b may have an invalid row, as one shard each. */
async function submittedInputs(logit = 0) {
  const folder = dataset.newName("inputs");
  fs.mkdirSync(folder);
  for (const name of ["a", "b", "c"])
    writeLogits(join(folder, `${name}.arrow`), {
      ...{ rows: 20, classes: 3 },
      logit: (row, k) => (name === "b" && row === 5 ? logit : row + k / 7),
    });
  const inputs = [folder];
  const output = await submitted({ inputs, shardRows: undefined });
  return { folder, inputs, output };
}

test("an invalid input is tried once: wait exits with 65, other shards are computed", async () => {
  const { folder, output } = await submittedInputs(Number.NaN);
  const one = here.worker();
  const bad = `${POISONED}: ERR_BAD_ROW: ${folder}/b.arrow: row 5`;
  await expectCode(wait(output), 65, bad);
  expect(await one.end()).toMatchObject({ shardsComputed: 2, shardsFailed: 1 });
});

test("workers with --keep-going skip an invalid input; --allow-missing publishes as one machine does", async () => {
  const { inputs, output } = await submittedInputs(Number.NaN);
  const expected = dataset.newOutput();
  const options = { keepGoing: true, allowMissing: true };
  await built.runDataset({ inputs, output: expected, ...options });
  const one = here.worker({ keepGoing: true });
  const advice = "use --allow-missing to publish the others";
  await expectCode(wait(output), 65, `1 of 3 inputs has no results; ${advice}`);
  await here.wait(output, { allowMissing: true });
  expect((await one.end()).skippedInputs).toMatchObject([{ name: "b.arrow" }]);
  expect(filesOf(output)).toEqual(filesOf(expected));
});

test("a shard that was truncated after it was computed is computed again", async () => {
  const output = dataset.newOutput();
  const { fingerprint } = await here.submit(output);
  await here.worker({ idleLimit: 3 }).ended;
  const part = join(`${output}.__wip-${fingerprint}`, POISONED);
  fs.writeFileSync(part, fs.readFileSync(part).subarray(0, 1000));
  const waiting = wait(output);
  await waiting.until(/"shards":1,"submission":1,"msg":"submitted"/);
  await completed(output);
  await expectCode(waiting, 0);
});

test("a failed shard that was computed since the last check is no failure", async () => {
  const output = await submitted({ attempts: 1 });
  const poisoned = poisonedWorker("throw");
  await expect(here.wait(output)).rejects.toThrow(built.ShardsFailedError);
  await endWorker(poisoned);
  const { run } = await openPlannedRun(output);
  const monitor = new QueueMonitor({ queue: redis.url }, run, {});
  const missing = await run.missing();
  expect(missing).toEqual([1]);
  await expect(monitor.reconcile(missing)).rejects.toMatchObject({
    code: "ERR_SHARDS_FAILED",
  });
  await built.runShards({ output });
  await monitor.reconcile(missing);
  await monitor.close();
});

test("a shard is submitted again if Redis deleted its job, but not the id of the job", async () => {
  const output = await submitted();
  const keys = await redis.client.keys("bull:*-1");
  expect(keys).toHaveLength(1);
  await redis.client.del(keys);
  const one = here.worker();
  await expectCode(
    wait(output),
    0,
    /"shards":1,"submission":1,"msg":"submitted"/,
  );
  expect(await one.end()).toMatchObject({ shardsComputed: 3, shardsFailed: 1 });
});

test("a shard is submitted again if it has no job in two consecutive checks", async () => {
  const output = await submitted();
  await redis.client.flushall();
  const { run } = await openPlannedRun(output);
  const shards: number[] = [];
  const monitor = new QueueMonitor({ queue: redis.url }, run, {
    onEvent: (event) =>
      event.event === "submitted" && shards.push(event.shards),
  });
  // Between the second check and the third, all shards are done.
  for (const missing of [[1, 2], [1], [], [1, 2]])
    await monitor.reconcile(missing);
  expect(shards).toEqual([1]);
  // Shard 1 has a job.
  await monitor.reconcile([1, 2]);
  expect(shards).toEqual([1, 1]);
  await monitor.close();
});
