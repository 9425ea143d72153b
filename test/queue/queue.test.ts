import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, expect } from "vitest";
import { CLI } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { countOf, endWorker, expectCode, testDataset } from "./dataset.js";
import { endAll, start } from "./processes.js";
import { endRedis, startRedis, test } from "./redis.js";

// submit, worker and wait, where nothing goes wrong.

const at = workDirectory();
afterEach(endAll);
const redis = await startRedis();
afterAll(endRedis);
const dataset = await testDataset(at, redis);
const { submit, worker, wait } = dataset.commands;

test("two workers make what one machine makes", async () => {
  const output = dataset.newOutput();
  const workers = [worker(), worker()];
  // Who is asked to end before it can hear that ends by the signal.
  const there = async () =>
    String(await redis.client.client("LIST")).split(":w:").length - 1;
  await expect.poll(there, { timeout: 20_000 }).toBe(2);
  const submitted = await expectCode(submit(output, "--json"), 0);
  expect(JSON.parse(submitted.stdout)).toMatchObject({
    status: "planned",
    queue: `${redis.url}/0`,
    shards: 9,
    submitted: 9,
    queued: 0,
  });
  const { stderr } = await expectCode(wait(output), 0);
  expect(countOf(stderr, "published")).toBe(1);
  dataset.expectSame(output);
  const said = (await Promise.all(workers.map(endWorker))).join("");
  // A worker counts a shard as up to date if the dataset is published before the worker sees its own record.
  const found = [...said.matchAll(/"shardsUpToDate":(\d+)/g)];
  const upToDate = found.reduce((sum, [, count]) => sum + Number(count), 0);
  expect(countOf(said, "shard completed") + upToDate).toBe(9);
  const again = await expectCode(submit(output), 0);
  expect(again.stderr).toContain("up to date, 9 shards");
  expect((await expectCode(wait(output), 0)).stderr).toContain("up to date");
});

test("the functions; the worker ends when there is nothing to do", async () => {
  const output = dataset.newOutput();
  const queue = redis.url;
  const options = { inputs: [dataset.folder], output, shardRows: 200, queue };
  const submitted = await built.submitDataset(options);
  expect(submitted).toMatchObject({ status: "planned", submitted: 9 });
  const report = await built.runWorker({
    queue,
    allow: [at(".")],
    idleLimit: 3,
  });
  expect(report).toMatchObject({
    status: "done",
    shardsComputed: 9,
    shardsUpToDate: 0,
    shardsFailed: 0,
    rowsComputed: 1800,
  });
  const waited = await built.waitForDataset({ output, queue, poll: 0.1 });
  expect(waited).toMatchObject({ status: "done", shards: 9 });
  dataset.expectSame(output);
});

test("the same submission twice, and at once: every part has one job", async () => {
  const output = dataset.newOutput();
  const both = [submit(output, "--json"), submit(output, "--json")];
  for (const started of both) await expectCode(started, 0);
  const third = await expectCode(submit(output, "--json"), 0);
  expect(JSON.parse(third.stdout)).toMatchObject({ submitted: 0, queued: 9 });
  const one = worker(["--idle-limit", "3"]);
  const { stderr } = await expectCode(one, 0);
  // Two that look at once may see different halves of one another: nothing is computed twice for it.
  expect(countOf(stderr, "shard completed")).toBe(9);
  await expectCode(wait(output), 0);
  dataset.expectSame(output);
});

test("wait without a queue goes by the records, and says what it does not do", async () => {
  const output = dataset.newOutput();
  await expectCode(submit(output), 0);
  const waiting = start(["wait", output, "--poll", "0.1"]);
  await waiting.until(/no --queue or SOFTJAC_QUEUE given/);
  await expectCode(worker(["--idle-limit", "3"]), 0);
  await expectCode(waiting, 0);
  dataset.expectSame(output);
});

test("two waits at once, and two datasets in one queue", async () => {
  const outputs = [dataset.newOutput(), dataset.newOutput()];
  for (const output of outputs) await expectCode(submit(output), 0);
  const waits = outputs.flatMap((output) => [wait(output), wait(output)]);
  await expectCode(worker(["--idle-limit", "3"]), 0);
  for (const waiting of waits) await expectCode(waiting, 0);
  for (const output of outputs) dataset.expectSame(output);
});

test("the time limit of wait: 75; no workers are told of", async () => {
  const output = dataset.newOutput();
  await expectCode(submit(output), 0);
  const { stderr } = await expectCode(wait(output, "--time-limit", "4"), 75);
  expect(stderr).toContain("stopped with 0 of 9 shards done");
  expect(stderr).toContain("no worker of this version is connected");
  await redis.client.flushall();
});

test("nothing planned: 66", async () => {
  await expectCode(wait(dataset.newOutput()), 66);
});

test("a worker tells of itself as other commands do", async () => {
  const output = dataset.newOutput();
  await expectCode(submit(output), 0);
  const report = at("worker.json");
  const metrics = at("worker.prom");
  const more = ["--report", report, "--metrics", metrics, "--json"];
  const one = worker(["--idle-limit", "3", ...more]);
  const { stdout } = await expectCode(one, 0);
  expect(JSON.parse(readFileSync(report, "utf8"))).toMatchObject({
    command: "worker",
    exitCode: 0,
    ...JSON.parse(stdout),
  });
  expect(readFileSync(metrics, "utf8")).toMatch(
    /softjac_rows_done\{.*\} 1800\n/,
  );
  await expectCode(wait(output), 0);
});

test("without the packages: one sentence, which says what to install", () => {
  const apart = at("apart");
  mkdirSync(join(apart, "node_modules"), { recursive: true });
  cpSync(dirname(CLI), join(apart, "dist"), { recursive: true });
  cpSync(
    new URL("../../package.json", import.meta.url),
    join(apart, "package.json"),
  );
  cpSync(
    new URL("../../node_modules/piscina", import.meta.url),
    join(apart, "node_modules/piscina"),
    { recursive: true },
  );
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(apart, "dist/cli.js"), ...args], {
      encoding: "utf8",
      // where they are installed further up, a worker would wait for work
      timeout: 30_000,
    });
  const found = run("worker", "--queue", redis.url);
  expect(found.stderr).toBe(
    "softjac: queues need the packages bullmq and ioredis: npm install bullmq ioredis\n",
  );
  expect(found.status).toBe(78);
  // All else does without.
  const output = at("alone");
  const { status, stderr } = run("run", dataset.folder, "-o", `${output}/`);
  expect(status, stderr).toBe(0);
  expect(existsSync(join(output, "_SUCCESS"))).toBe(true);
});

test("help names no flag for the password, and where it stands", () => {
  for (const command of ["submit", "worker", "wait"]) {
    const help = execFileSync(
      process.execPath,
      [CLI, command, "--help", "--all"],
      {
        encoding: "utf8",
      },
    );
    expect(help).toContain("SOFTJAC_QUEUE_PASSWORD");
    expect(help).not.toContain("--queue-password");
  }
});
