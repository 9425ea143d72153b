import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Queue } from "bullmq";
import { afterAll, expect } from "vitest";
import { fingerprintOf } from "../../src/dataset/dataset-plan.js";
import { queueNameOf } from "../../src/queue/connection.js";
import { VERSION } from "../../src/version.js";
import { countOf, expectCode, queueWorld } from "./dataset.js";
import { test } from "./redis.js";

// Jobs that a worker refuses.

const { at, redis, dataset } = await queueWorld();
const { here, commands } = dataset;
const { worker } = commands;
const queue = new Queue(queueNameOf(), { connection: redis.client });
afterAll(() => queue.close());

test("a job with invalid data or a forbidden location is refused once, and touches nothing", async () => {
  const [allowed, outside] = [at("allowed"), at("outside")];
  mkdirSync(allowed);
  mkdirSync(outside);
  const inside = join(allowed, "out");
  const beyond = join(outside, "out");
  const { fingerprint: run } = await here.submit(inside);
  await here.submit(beyond);
  await queue.obliterate({ force: true });
  symlinkSync(outside, join(allowed, "link"));
  symlinkSync(`${beyond}.__wip-${run}`, `${join(allowed, "in")}.__wip-${run}`);
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
    [{}, invalid],
  ];
  for (const [data] of jobs) await queue.add("shard", data, { attempts: 5 });
  const before = readdirSync(outside, { recursive: true });
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
  expect(readdirSync(outside, { recursive: true })).toEqual(before);
  await queue.obliterate({ force: true });
});

test("inputs outside the allowed locations are refused", async () => {
  const apart = at("apart");
  mkdirSync(apart);
  await here.submit(join(apart, "out"));
  const one = worker(["--allow", apart, "--idle-limit", "3"]);
  const { stderr } = await expectCode(one, 0);
  expect(countOf(stderr, "shard failed")).toBe(9);
  expect(stderr).toContain("is outside the locations that --allow permits");
  await queue.obliterate({ force: true });
});

test("a run of another version is refused, and its workers have another queue", async () => {
  expect(queueNameOf()).toBe(`softjac-${VERSION}`);
  const output = dataset.newOutput();
  const { fingerprint } = await here.submit(output);
  await queue.obliterate({ force: true });
  const name = (run: unknown) => `${output}.__wip-${run}`;
  const path = join(name(fingerprint), "_plan.json");
  const plan = JSON.parse(readFileSync(path, "utf8"));
  plan.of.softjac = "0.0.9";
  plan.fingerprint = fingerprintOf(plan.of);
  writeFileSync(path, JSON.stringify(plan));
  const { fingerprint: run } = plan;
  renameSync(name(fingerprint), name(run));
  await queue.add("shard", { output, run, index: 0 }, { attempts: 5 });
  const report = await here.worker({ idleLimit: 1 }).ended;
  expect(report).toMatchObject({ shardsComputed: 0, shardsFailed: 1 });
  const [failed] = await queue.getFailed();
  expect(failed?.failedReason).toBe(
    `ERR_JOB_REFUSED: ${output}: run ${run} was planned by softjac 0.0.9, but this worker is softjac ${VERSION}, which may write different bytes; use workers of the same version`,
  );
});
