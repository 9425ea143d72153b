import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { CLI } from "../cli/support.js";
import { countOf, endWorker, queueWorld } from "./dataset.js";
import { expectCode, start } from "./processes.js";
import { test } from "./redis.js";

// submit, worker and wait without failures.

const { at, redis, dataset } = await queueWorld();
const { here, submitted, newOutput, expectSame } = dataset;
const { submit, worker, wait } = dataset.commands;

test("two workers compute what one machine computes", async () => {
  const output = newOutput();
  const workers = [worker(), worker()];
  // A worker that is stopped before it listens to signals ends by the signal.
  const connected = async () =>
    String(await redis.client.client("LIST")).split(":w:").length - 1;
  await expect.poll(connected, { timeout: 20_000 }).toBe(2);
  const { stdout } = await expectCode(submit(output, ["--json"]), 0);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ status: "planned", queue: `${redis.url}/0` },
    ...{ shards: 9, submitted: 9, queued: 0 },
  });
  const { stderr } = await expectCode(wait(output), 0);
  expect(countOf(stderr, "published")).toBe(1);
  expectSame(output);
  const said = (await Promise.all(workers.map(endWorker))).join("");
  // A worker counts a shard as up to date if the dataset is published before the worker sees its own record.
  const found = [...said.matchAll(/"shardsUpToDate":(\d+)/g)];
  const upToDate = found.reduce((sum, [, count]) => sum + Number(count), 0);
  expect(countOf(said, "shard completed") + upToDate).toBe(9);
  await expectCode(submit(output), 0, "up to date, 9 shards");
  await expectCode(wait(output), 0, "up to date");
});

test("submissions of one dataset at once give every shard one job", async () => {
  const output = newOutput();
  const both = [submit(output), submit(output)];
  for (const started of both) await expectCode(started, 0);
  const { stdout } = await expectCode(submit(output, ["--json"]), 0);
  expect(JSON.parse(stdout)).toMatchObject({ submitted: 0, queued: 9 });
  const { stderr } = await expectCode(worker(["--idle-limit", "3"]), 0);
  expect(countOf(stderr, "shard completed")).toBe(9);
  await here.wait(output);
  expectSame(output);
});

test("wait without a queue watches the records, and warns", async () => {
  const output = await submitted();
  const waiting = start(["wait", output, "--poll", "0.1"]);
  await waiting.until(
    /no --queue or SOFTJAC_QUEUE given: lost shards will not be resubmitted and failures not reported/,
  );
  await here.worker({ idleLimit: 3 }).ended;
  await expectCode(waiting, 0);
  expectSame(output);
});

test("two waits at once, and two datasets in one queue", async () => {
  const outputs = [await submitted(), await submitted()];
  const waits = outputs.flatMap((output) => [wait(output), wait(output)]);
  await here.worker({ idleLimit: 3 }).ended;
  for (const waiting of waits) await expectCode(waiting, 0);
  for (const output of outputs) expectSame(output);
});

test("wait exits with 66 if nothing is planned", async () => {
  await expectCode(wait(newOutput()), 66);
});

test("a worker writes a report and metrics like other commands", async () => {
  const output = await submitted();
  const [report, metrics] = [at("worker.json"), at("worker.prom")];
  const files = ["--report", report, "--metrics", metrics, "--json"];
  const one = worker(["--idle-limit", "3", ...files]);
  const { stdout } = await expectCode(one, 0);
  expect(JSON.parse(readFileSync(report, "utf8"))).toMatchObject({
    ...{ command: "worker", exitCode: 0, status: "done", rowsComputed: 1800 },
    ...{ shardsComputed: 9, shardsUpToDate: 0, shardsFailed: 0 },
    ...JSON.parse(stdout),
  });
  expect(readFileSync(metrics, "utf8")).toMatch(
    /softjac_rows_done\{.*\} 1800\n/,
  );
  expect(await here.wait(output)).toMatchObject({ status: "done", shards: 9 });
});

test("without the optional packages, only queues are missing", () => {
  const apart = at("apart");
  mkdirSync(join(apart, "node_modules"), { recursive: true });
  const root = new URL("../..", import.meta.url).pathname;
  cpSync(dirname(CLI), join(apart, "dist"), { recursive: true });
  for (const name of ["package.json", "node_modules/piscina"])
    cpSync(join(root, name), join(apart, name), { recursive: true });
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(apart, "dist/cli.js"), ...args], {
      encoding: "utf8",
      // If a parent directory has the packages, a worker would wait for work.
      timeout: 30_000,
    });
  expect(run("worker", "--queue", redis.url)).toMatchObject({
    status: 78,
    stderr:
      "softjac: queues need the packages bullmq and ioredis: npm install bullmq ioredis\n",
  });
  const output = at("alone");
  const { status, stderr } = run("run", dataset.folder, "-o", `${output}/`);
  expect(status, stderr).toBe(0);
  expect(existsSync(join(output, "_SUCCESS"))).toBe(true);
});
