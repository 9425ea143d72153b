import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, expect } from "vitest";
import { enqueue } from "../../src/queue/jobs.js";
import { openQueue } from "../../src/queue/open-queue.js";
import { workDirectory } from "../support/logits-input.js";
import { countOf, endWorker, expectCode, testDataset } from "./dataset.js";
import { endAll, type Started } from "./processes.js";
import { endRedis, startRedis, test, untilRenewed } from "./redis.js";

// Workers, submitters and waits that die, stop or are held up, at calls where it could matter.

const at = workDirectory();
afterEach(endAll);
const redis = await startRedis();
afterAll(endRedis);
const dataset = await testDataset(at, redis);
const { submitUnder, worker, wait } = dataset.commands;
const { here } = dataset;
const preload = ["at-call.mjs"];
let names = 0;
const newFile = () => at(`file-${names++}`);

/** A worker that does something at a call on a part's or a record's file. */
function workerThat(env: Record<string, string>, more?: string[]): Started {
  return worker(more, { preload, env: { AT_ONCE: newFile(), ...env } });
}

/** The last part of all lines that a worker has logged as made. */
const madeBy = (stderr: string) => countOf(stderr, "shard completed");

const PART = "part-00004-of";
const RECORD = "_commits/00004";

test.each([
  ["mid-part", { AT_CALL: "openSync", AT_PATH: "__tmp-" }, 9],
  ["before its part", { AT_CALL: "link", AT_PATH: PART, AT_WHEN: "before" }, 9],
  [
    "between part and record",
    { AT_CALL: "link", AT_PATH: PART, AT_WHEN: "after" },
    9,
  ],
  [
    "between record and acknowledgement: nothing is computed again",
    { AT_CALL: "link", AT_PATH: RECORD, AT_WHEN: "after" },
    8,
  ],
] as const)("a worker killed %s", async (_, call, made) => {
  const output = dataset.newOutput();
  await here.submit(output);
  const victim = workerThat({ ...call, AT_DO: "kill" });
  await expectCode(victim, "SIGKILL");
  const before = madeBy(victim.said());
  const other = here.worker();
  await here.wait(output);
  dataset.expectSame(output);
  const { shardsComputed } = await other.end();
  expect(before + shardsComputed).toBe(made);
});

test("SIGTERM past the last chunk of a part: it is finished", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const letGo = newFile();
  const stopped = workerThat({
    AT_CALL: "link",
    AT_PATH: PART,
    AT_WHEN: "before",
    AT_DO: "hold",
    AT_FILE: letGo,
  });
  await stopped.until(/at-call: hold/);
  stopped.child.kill("SIGTERM");
  await stopped.until(/"msg":"stopping"/);
  writeFileSync(letGo, "");
  const { stderr } = await expectCode(stopped, 75);
  expect(stderr).toContain("stopped after 5 shards; other workers continue");
  const other = here.worker();
  await here.wait(output);
  expect(await other.end()).toMatchObject({ shardsComputed: 4 });
  dataset.expectSame(output);
});

test("stopped past its lease while another finishes and publishes: its late part harms nothing", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const late = workerThat({
    AT_CALL: "link",
    AT_PATH: PART,
    AT_WHEN: "before",
    AT_DO: "stop",
  });
  await late.until(/at-call: stop/);
  const other = here.worker();
  await here.wait(output);
  dataset.expectSame(output);
  late.child.kill("SIGCONT");
  // What it made meanwhile has no place any more, and it goes on with others' parts.
  await late.until(
    /shard released|no longer|gave the job to another worker or lost it/,
  );
  await endWorker(late);
  await other.end();
  dataset.expectSame(output);
  expect(readdirSync(at(".")).filter((name) => name.includes(".__"))).toEqual(
    [],
  );
});

test("a blocked event loop loses its lease, and computes in vain at most", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const letGo = newFile();
  const blocked = workerThat(
    {
      AT_CALL: "link",
      AT_PATH: PART,
      AT_WHEN: "before",
      AT_DO: "block",
      AT_FILE: letGo,
    },
    ["--lease", "1"],
  );
  await blocked.until(/at-call: block/);
  const other = here.worker({ lease: 1 });
  // The other makes the part, too, once the lease has ended.
  await here.wait(output);
  dataset.expectSame(output);
  writeFileSync(letGo, "");
  await endWorker(blocked);
  await other.end();
});

test("a part that takes longer than the lease keeps it while the event loop is free", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const letGo = newFile();
  const slow = workerThat({
    AT_CALL: "link",
    AT_PATH: PART,
    AT_WHEN: "before",
    AT_DO: "hold",
    AT_FILE: letGo,
  });
  await slow.until(/at-call: hold/);
  const other = here.worker();
  const waiting = wait(output);
  await waiting.until(/"shardsDone":8/);
  await untilRenewed(redis, 3);
  writeFileSync(letGo, "");
  await expectCode(waiting, 0);
  const { shardsComputed } = await other.end();
  expect(madeBy(await endWorker(slow)) + shardsComputed).toBe(9);
  dataset.expectSame(output);
});

test("the same part twice at once: the first wins, and the bytes are the same", async () => {
  const output = dataset.newOutput();
  const { fingerprint } = await here.submit(output);
  const open = await openQueue({ queue: redis.url });
  const run = { output, run: fingerprint as string };
  await enqueue(open, run, [4], 1, {});
  await open.close();
  const letGo = newFile();
  const env = {
    AT_CALL: "link",
    AT_PATH: PART,
    AT_WHEN: "before",
    AT_DO: "hold",
    AT_FILE: letGo,
  };
  const workers = [worker([], { preload, env }), worker([], { preload, env })];
  // Both have computed the part, and neither has put it in place.
  for (const started of workers) await started.until(/at-call: hold/);
  writeFileSync(letGo, "");
  await here.wait(output);
  for (const started of workers) await endWorker(started);
  dataset.expectSame(output);
});

test.each([
  ["before anything is there", { AT_CALL: "link", AT_PATH: "_plan.json" }],
  ["while jobs are added", { AT_CALL: "redis" }],
])("a submitter killed %s: the next adds what is missing", async (_, env) => {
  const output = dataset.newOutput();
  const first = submitThat(output, env);
  await expectCode(first, "SIGKILL");
  const { submitted, queued } = await here.submit(output);
  expect(submitted + queued).toBe(9);
  const one = here.worker();
  await here.wait(output);
  await one.end();
  dataset.expectSame(output);
});

test("a submitter killed while jobs are added: wait adds what is missing", async () => {
  const output = dataset.newOutput();
  await expectCode(submitThat(output, { AT_CALL: "redis" }), "SIGKILL");
  const one = here.worker();
  await here.wait(output);
  await one.end();
  dataset.expectSame(output);
});

function submitThat(output: string, env: Record<string, string>): Started {
  const options = {
    preload: ["at-call.mjs", "at-redis.mjs"],
    env: { AT_DO: "kill", AT_WHEN: "before", AT_ONCE: newFile(), ...env },
  };
  return submitUnder(options, output);
}

test("a second signal ends a worker at once", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const held = workerThat({
    AT_CALL: "link",
    AT_PATH: PART,
    AT_WHEN: "before",
    AT_DO: "hold",
    AT_FILE: newFile(),
  });
  await held.until(/at-call: hold/);
  held.child.kill("SIGTERM");
  await held.until(/"msg":"stopping"/);
  const closed = once(held.child, "close");
  held.child.kill("SIGTERM");
  expect(await closed).toEqual([143, null]);
  const other = here.worker();
  await here.wait(output);
  await other.end();
  dataset.expectSame(output);
  expect(existsSync(output)).toBe(true);
});
