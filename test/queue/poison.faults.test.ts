import {
  existsSync,
  mkdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect } from "vitest";
import { openPlannedRun } from "../../src/dataset/planned-run.js";
import { QueueMonitor } from "../../src/queue/queue-monitor.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { countOf, endWorker, expectCode, testDataset } from "./dataset.js";
import { endAll } from "./processes.js";
import { endRedis, startRedis, test } from "./redis.js";

// Parts that cannot be made, and machines that cannot make them.

const at = workDirectory();
afterEach(async () => {
  await endAll();
  await redis.client.flushall();
});
const redis = await startRedis();
afterAll(endRedis);
// One part each, of 16 MB: smaller ones are made without threads.
const dataset = await testDataset(at, redis, { rows: 200, classes: 100 });
const { worker, wait } = dataset.commands;
const { here } = dataset;
const THREADS = "../dataset/threads-that.mjs";
const POISONED = "part-00001-of-00003.arrow";
let names = 0;
const newFile = () => at(`file-${names++}`);

test.each([
  [
    "throws",
    { THREADS_DO: "throw" },
    [],
    "a worker thread failed: thrown by the test",
  ],
  ["kills its thread", { THREADS_DO: "exit" }, [], "worker exited with code"],
  [
    "uses up its thread's memory",
    { THREADS_DO: "oom", NODE_OPTIONS: "--max-old-space-size=48" },
    [],
    "ERR_INTERNAL: a worker thread failed: Worker terminated due to reaching memory limit",
  ],
  [
    "never returns",
    { THREADS_DO: "hang" },
    ["--shard-timeout", "1"],
    "not done within 1 s (--shard-timeout)",
  ],
  [
    "gives no sign of life",
    { THREADS_DO: "hang" },
    ["--stall-timeout", "1"],
    "no progress for 1 s",
  ],
] as const)(
  "a part that %s: the others are made, the report names it",
  async (_, env, more, reason) => {
    const output = dataset.newOutput();
    // Filling the memory takes seconds.
    const attempts = env.THREADS_DO === "oom" ? 1 : 2;
    await here.submit(output, { attempts, backoff: 0.1 });
    const poisoned = worker([...more], {
      preload: [THREADS],
      env: { ...env, THREADS_AT: "b.arrow" },
    });
    const error = await here.wait(output).catch((e) => e);
    expect(error).toBeInstanceOf(built.ShardsFailedError);
    expect(error.message).toContain(
      `1 of 3 shards failed; use softjac submit to retry them: ${POISONED}`,
    );
    expect(error.message).toContain(reason);
    expect(countOf(await endWorker(poisoned), "shard completed")).toBe(2);
    // Submitted again, to workers that can.
    const again = await here.submit(output);
    expect(again).toMatchObject({ submitted: 1, queued: 0 });
    const sound = here.worker();
    await here.wait(output);
    await sound.end();
    dataset.expectSame(output);
  },
);

test.each(stepOf(4) === 1 ? [1, 2, 4] : [1, 2])(
  "a part that kills its process: given up after %i attempts, the others are made",
  async (attempts) => {
    const output = dataset.newOutput();
    await here.submit(output, { attempts });
    const waiting = wait(output);
    let died = 0;
    let isOver = false;
    waiting.ended.then(() => {
      isOver = true;
    });
    while (!isOver) {
      const options = {
        preload: [THREADS],
        env: { THREADS_DO: "kill", THREADS_AT: "b.arrow" },
      };
      const one = worker(["--lease", "1"], options);
      await Promise.race([one.ended, waiting.ended]);
      if (!isOver) died += 1;
      else one.child.kill("SIGTERM");
    }
    const { stderr } = await expectCode(waiting, 75);
    expect(stderr).toContain(
      `1 of 3 shards failed; use softjac submit to retry them: ${POISONED}: ERR_STALLED: the worker died or lost its lease in the last of ${attempts} attempts (--attempts)`,
    );
    expect(stderr).toContain('"shardsDone":2');
    expect(died).toBe(attempts);
    await redis.client.flushall();
  },
);

test("SIGTERM between two chunks: the shard is released, without an attempt used", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const slow = worker(["--chunk-rows", "10"], {
    preload: [THREADS],
    env: { THREADS_DO: "wait", THREADS_AT: "b.arrow", THREADS_ONCE: "" },
  });
  await slow.until(/threads-that: wait/);
  const said = await endWorker(slow);
  expect(said).toContain(
    '"reason":"the worker is stopping","msg":"shard released"',
  );
  const [waiting = ""] = await redis.client.keys("bull:*:wait");
  const ids = await redis.client.lrange(waiting, 0, -1);
  expect(ids).toHaveLength(2);
  // The next to be taken, and as if it never had been.
  const [key] = await redis.client.keys(`bull:*:${ids[1]}`);
  expect(await redis.client.hmget(key as string, "atm", "ats")).toEqual([
    null,
    "1",
  ]);
  const other = here.worker();
  await here.wait(output);
  await other.end();
  dataset.expectSame(output);
});

test("a computation of several leases keeps its lease: the threads compute, the main thread renews", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const slow = worker(["--chunk-rows", "5", "--lease", "1"], {
    preload: [THREADS],
    env: { THREADS_DO: "wait", THREADS_AT: "b.arrow" },
  });
  await slow.until(/threads-that: wait/);
  const other = here.worker({ lease: 1 });
  await here.wait(output);
  const said = await endWorker(slow);
  const { shardsComputed } = await other.end();
  const [, longest] =
    /"file":"part-00001-of.*"durationMs":(\d+)/.exec(said) ?? [];
  expect(Number(longest)).toBeGreaterThan(3000);
  expect(countOf(said, "shard completed") + shardsComputed).toBe(3);
  dataset.expectSame(output);
});

test("a full disk on one of two workers: it says so and takes nothing more, the other makes all; then it looks again", async () => {
  const output = dataset.newOutput();
  const spaceAgain = newFile();
  await here.submit(output, { attempts: 1 });
  const full = worker(["--disk-pause", "1"], {
    preload: ["at-call.mjs"],
    env: {
      AT_CALL: "ftruncateSync",
      AT_PATH: "__tmp-",
      AT_DO: "enospc",
      AT_FILE: spaceAgain,
    },
  });
  await full.until(
    /no space left on its device; the worker takes no shards for 1 s/,
  );
  const other = here.worker();
  await here.wait(output);
  expect(await other.end()).toMatchObject({ shardsComputed: 3 });
  dataset.expectSame(output);
  const next = dataset.newOutput();
  await here.submit(next, { attempts: 1 });
  await full.until(/(shard released[\s\S]*){2}/);
  writeFileSync(spaceAgain, "");
  await here.wait(next);
  expect(countOf(await endWorker(full), "shard completed")).toBe(3);
  dataset.expectSame(next);
});

function folderOf(name: string, bad: boolean): string {
  const folder = at(name);
  mkdirSync(folder);
  for (const input of ["a", "b", "c"])
    writeLogits(join(folder, `${input}.arrow`), {
      rows: 20,
      classes: 3,
      logit: (row, k) =>
        bad && input === "b" && row === 5 ? Number.NaN : row + k / 7,
    });
  return folder;
}

const submitFolder = (folder: string, output: string) =>
  here.submit(output, { inputs: [folder], shardRows: undefined });

test("a bad input: tried once, 65, the others are made", async () => {
  const folder = folderOf("bad", true);
  const output = dataset.newOutput();
  await submitFolder(folder, output);
  const one = here.worker();
  const { stderr } = await expectCode(wait(output), 65);
  expect(stderr).toContain(
    `${POISONED}: ERR_BAD_ROW: ${folder}/b.arrow: row 5`,
  );
  expect(await one.end()).toMatchObject({ shardsComputed: 2, shardsFailed: 1 });
});

test("a bad input, and workers that go on without it: published with --allow-missing as by one machine", async () => {
  const folder = folderOf("left", true);
  const expected = dataset.newOutput();
  await built.runDataset({
    inputs: [folder],
    output: expected,
    keepGoing: true,
    allowMissing: true,
  });
  const output = dataset.newOutput();
  await submitFolder(folder, output);
  const one = here.worker({ keepGoing: true });
  const { stderr } = await expectCode(wait(output), 65);
  expect(stderr).toContain(
    "1 of 3 inputs have no results; use --allow-missing to publish the others",
  );
  await here.wait(output, { allowMissing: true });
  expect((await one.end()).skippedInputs).toMatchObject([{ name: "b.arrow" }]);
  expect(filesOf(output)).toEqual(filesOf(expected));
});

test("an input that has changed since it was planned: 65", async () => {
  const folder = folderOf("changed", false);
  const output = dataset.newOutput();
  await submitFolder(folder, output);
  const later = new Date(Date.now() + 5000);
  utimesSync(join(folder, "b.arrow"), later, later);
  const one = here.worker();
  const { stderr } = await expectCode(wait(output), 65);
  expect(stderr).toContain("changed since the run was planned (modified ");
  await one.end();
  expect(existsSync(output)).toBe(false);
});

test("a part that was cut after it was made is made again", async () => {
  const output = dataset.newOutput();
  const { fingerprint } = await here.submit(output);
  await here.worker({ idleLimit: 3 }).ended;
  const part = join(`${output}.__wip-${fingerprint}`, POISONED);
  writeFileSync(part, readFileSync(part).subarray(0, 1000));
  const waiting = wait(output);
  await waiting.until(/"shards":1,"submission":1,"msg":"submitted"/);
  const other = here.worker();
  await expectCode(waiting, 0);
  await other.end();
  dataset.expectSame(output);
});

test("a part that has failed and been made since is no failure, although it was missing at the last look", async () => {
  const output = dataset.newOutput();
  await here.submit(output, { attempts: 1 });
  const poisoned = worker([], {
    preload: [THREADS],
    env: { THREADS_DO: "throw", THREADS_AT: "b.arrow" },
  });
  await expect(here.wait(output)).rejects.toThrow(built.ShardsFailedError);
  await endWorker(poisoned);
  const { run } = await openPlannedRun(output);
  const keeper = new QueueMonitor({ queue: redis.url }, run, {});
  const missing = await run.missing();
  expect(missing).toEqual([1]);
  await expect(keeper.reconcile(missing)).rejects.toMatchObject({
    code: "ERR_SHARDS_FAILED",
  });
  await built.runShards({ output });
  await keeper.reconcile(missing);
  await keeper.close();
});
