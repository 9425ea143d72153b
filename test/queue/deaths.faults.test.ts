import { readdirSync } from "node:fs";
import { expect } from "vitest";
import { openQueue } from "../../src/queue/broker/connection.js";
import { enqueue } from "../../src/queue/broker/queued-shards.js";
import { countOf, endWorker, queueWorld } from "./dataset.js";
import { expectCode } from "./processes.js";
import { test } from "./redis.js";

// Workers and submitters that die, stop or are delayed at calls where it could matter.

const { at, redis, dataset } = await queueWorld();
const { here, commands, submitted, completed, workerAt } = dataset;

const computedBy = (stderr: string) => countOf(stderr, "shard completed");
const PART = "part-00004-of";
const HOLD = `hold before link ${PART}`;

test.each([
  ["within a shard", "kill after openSync __tmp-", 9],
  ["before it commits its shard", `kill before link ${PART}`, 9],
  ["between shard and record", `kill after link ${PART}`, 9],
  // Nothing is computed again.
  ["after the record", "kill after link _commits/00004", 8],
])("a worker is killed %s", async (_, call, shards) => {
  const output = await submitted();
  const { stderr } = await expectCode(workerAt(call), "SIGKILL");
  const { shardsComputed } = await completed(output);
  expect(computedBy(stderr) + shardsComputed).toBe(shards);
});

test("SIGTERM after the last chunk of a shard: the worker finishes the shard", async () => {
  const output = await submitted();
  const stopped = workerAt(HOLD);
  await stopped.until(/at-call: hold/);
  stopped.child.kill("SIGTERM");
  await stopped.until(/"msg":"stopping"/);
  stopped.release();
  const done = "stopped after 5 shards; other workers continue";
  await expectCode(stopped, 75, done);
  expect(await completed(output)).toMatchObject({ shardsComputed: 4 });
});

test("a second signal ends a worker at once", async () => {
  const output = await submitted();
  const held = workerAt(HOLD);
  await held.until(/at-call: hold/);
  held.child.kill("SIGTERM");
  await held.until(/"msg":"stopping"/);
  held.child.kill("SIGTERM");
  await expectCode(held, 143);
  await completed(output);
});

test("a worker that is suspended while another one publishes changes nothing later", async () => {
  const output = await submitted();
  const late = workerAt(`stop before link ${PART}`);
  await late.until(/at-call: stop/);
  await completed(output);
  late.child.kill("SIGCONT");
  await late.until(
    /shard released|no longer|gave the job to another worker or lost it/,
  );
  await endWorker(late);
  dataset.expectSame(output);
  const unfinished = readdirSync(at(".")).filter((name) => /\.__/.test(name));
  expect(unfinished).toEqual([]);
});

test("a worker with a blocked event loop loses its lease; another one computes the shard", async () => {
  const output = await submitted();
  const blocked = workerAt(`block before link ${PART}`, ["--lease", "1"]);
  await blocked.until(/at-call: block/);
  await completed(output, { lease: 1 });
  blocked.release();
  await endWorker(blocked);
});

test("two workers commit the same shard: the bytes are the same", async () => {
  const output = dataset.newOutput();
  const { fingerprint } = await here.submit(output);
  const open = await openQueue({ queue: redis.url });
  const run = { output, run: fingerprint as string };
  await enqueue(open, run, [4], 1, {});
  await open.close();
  const both = [workerAt(HOLD), workerAt(HOLD)];
  for (const worker of both) await worker.until(/at-call: hold/);
  for (const worker of both) worker.release();
  await here.wait(output);
  for (const worker of both) await endWorker(worker);
  dataset.expectSame(output);
});

test.each([
  ["before it writes the plan", "kill before link _plan.json", "submit"],
  ["while it adds jobs", "kill before redis", "submit"],
  ["while it adds jobs", "kill before redis", "wait"],
])("a submitter is killed %s (%s): %s adds the rest", async (_, AT, by) => {
  const output = dataset.newOutput();
  const options = { preload: ["at-call.mjs"], env: { AT } };
  await expectCode(commands.submit(output, [], options), "SIGKILL");
  if (by === "submit") {
    const report = await here.submit(output);
    expect(report.submitted + report.queued).toBe(9);
  }
  await completed(output);
});
