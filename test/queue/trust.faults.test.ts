import fs from "node:fs";
import { join } from "node:path";
import { Queue } from "bullmq";
import { afterAll, test as anyTest, expect } from "vitest";
import { queueNameOf } from "../../src/queue/broker/connection.js";
import { VERSION } from "../../src/version.js";
import { copiedBuild } from "../support/copied-build.js";
import { faketimeLibrary } from "../support/machine.js";
import { countOf, endWorker, queueWorld } from "./dataset.js";
import { expectCode } from "./processes.js";
import { hasRedis, test, untilRenewed } from "./redis.js";

// Jobs that a worker refuses, and clocks that it does not trust.

const { at, redis, dataset } = await queueWorld();
const { here, commands, submitted, completed, workerAt } = dataset;
const { worker, wait } = commands;
const queue = new Queue(queueNameOf(), { connection: redis.client });
afterAll(() => queue.close());

test("a job with invalid data or a forbidden location is refused once, and touches nothing", async () => {
  const [allowed, outside] = [at("allowed"), at("outside")];
  fs.mkdirSync(allowed);
  fs.mkdirSync(outside);
  const inside = join(allowed, "out");
  const beyond = join(outside, "out");
  const { fingerprint: run } = await here.submit(inside);
  await here.submit(beyond);
  await queue.obliterate({ force: true });
  fs.symlinkSync(outside, join(allowed, "link"));
  fs.symlinkSync(
    `${beyond}.__wip-${run}`,
    `${join(allowed, "in")}.__wip-${run}`,
  );
  const job = { output: inside, run, index: 0 };
  const forbidden = "is outside the locations that --allow permits";
  const invalid = "the job has invalid data";
  const jobs: [data: object, reason: string][] = [
    [{ ...job, output: beyond }, forbidden],
    [{ ...job, output: join(allowed, "link/out") }, forbidden],
    [{ ...job, output: join(allowed, "in") }, forbidden],
    [{ ...job, output: `${allowed}/../outside/out` }, "without . or .."],
    [{ ...job, output: "allowed/out" }, "expected an absolute path"],
    [{ ...job, output: "s3://bucket/out" }, forbidden],
    [{ ...job, index: 9 }, "has only 9 shards, so there is no shard 9"],
    [{ ...job, index: -1 }, invalid],
    [{ ...job, index: 1.5 }, invalid],
    [{ ...job, run: "../../x" }, invalid],
    [{ ...job, threads: 9 }, invalid],
    [{ ...job, output: [inside] }, invalid],
    [{}, "the job has no data; Redis may have deleted it"],
  ];
  for (const [data] of jobs) await queue.add("shard", data, { attempts: 5 });
  const before = fs.readdirSync(outside, { recursive: true });
  // The inputs are allowed.
  const allow = ["--allow", `${allowed},${dataset.folder}`];
  const one = worker([...allow, "--idle-limit", "3"]);
  const { stderr } = await expectCode(one, 0);
  expect(countOf(stderr, "shard failed")).toBe(jobs.length);
  const failed = (await queue.getFailed()).map((job) => {
    const { data, failedReason, attemptsMade } = job;
    return { data, failedReason, attemptsMade };
  });
  expect(failed).toHaveLength(jobs.length);
  expect(failed).toEqual(
    expect.arrayContaining(
      jobs.map(([data, reason]) => ({
        ...{ data, attemptsMade: 1 },
        failedReason: expect.stringMatching(`^ERR_JOB_REFUSED: .*${reason}`),
      })),
    ),
  );
  expect(fs.readdirSync(outside, { recursive: true })).toEqual(before);
});

test("inputs outside the allowed locations are refused", async () => {
  const apart = at("apart");
  fs.mkdirSync(apart);
  await here.submit(join(apart, "out"));
  const one = worker(["--allow", apart, "--idle-limit", "3"]);
  const { stderr } = await expectCode(one, 0);
  expect(countOf(stderr, "shard failed")).toBe(9);
  expect(stderr).toContain("is outside the locations that --allow permits");
});

const OTHER = "0.0.9-other";

test("workers of two versions compute only the jobs of their own", async () => {
  const build = copiedBuild(at("other-version"), OTHER);
  const other = worker([], { cli: join(build, "cli.js") });
  const own = worker();
  const output = dataset.newOutput();
  const { fingerprint: run } = await here.submit(output);
  await here.wait(output);
  dataset.expectSame(output);
  expect(countOf(await endWorker(own), "shard completed")).toBe(9);
  // A job of this version in the queue of the other one.
  const theirs = new Queue(`softjac-${OTHER}`, { connection: redis.client });
  const next = await submitted();
  await theirs.add("shard", { output: next, run, index: 0 }, { attempts: 5 });
  await other.until(/"msg":"shard failed"/);
  const said = await endWorker(other);
  expect(said).toContain(
    `planned by softjac ${VERSION}, but this worker is softjac ${OTHER}`,
  );
  expect(countOf(said, "shard completed")).toBe(0);
  expect(countOf(said, "shard failed")).toBe(1);
  await theirs.close();
  await completed(next);
});

const library = faketimeLibrary() ?? "";

anyTest.skipIf(!hasRedis || !library)(
  "a worker whose clock is set back an hour keeps its shard",
  async () => {
    const clock = at("clock");
    fs.writeFileSync(clock, "+0");
    const output = await submitted();
    const call = "hold before link part-00002-of";
    const shifted = workerAt(call, ["--lease", "1"], {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: "1",
      // Setting a clock changes only the time of day.
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      DONT_FAKE_MONOTONIC: "1",
    });
    await shifted.until(/at-call: hold/);
    fs.writeFileSync(clock, "-1h");
    const other = here.worker({ lease: 1 });
    const waiting = wait(output);
    await waiting.until(/"shardsDone":8/);
    // A timer that used the time of day would not renew the lease for an hour.
    await untilRenewed(redis, 3);
    shifted.release();
    await expectCode(waiting, 0);
    const said = await endWorker(shifted);
    const [, last = ""] =
      /"time":"([^"]+)"[^\n]*part-00002-of/.exec(said) ?? [];
    expect(Date.now() - Date.parse(last)).toBeGreaterThan(3_000_000);
    const { shardsComputed, shardsReleased } = await other.end();
    expect(countOf(said, "shard completed") + shardsComputed).toBe(9);
    expect(countOf(said, "shard released") + shardsReleased).toBe(0);
    dataset.expectSame(output);
  },
);
