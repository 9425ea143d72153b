import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { expectCode } from "./dataset.js";
import { start } from "./processes.js";
import { endRedis, startRedis, test } from "./redis.js";

// 1,200 parts through a queue, in memory that does not grow with them.

// Where syncs cost nothing: this is about the queue.
const base = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const folder = mkdtempSync(join(base, "softjac-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const redis = await startRedis();
afterAll(endRedis);
const PARTS = 1200;
const MB = 2 ** 20;

/** Peak memory of submit, worker and wait for a dataset of so many shards. */
async function peaksOf(parts: number): Promise<number[]> {
  const input = join(folder, `${parts}.arrow`);
  await built.generate({ output: input, rows: parts, classes: 3 });
  const output = join(folder, `out-${parts}`);
  const queue = ["--queue", redis.url, "--json"];
  const json = async (...args: string[]) => {
    const started = start([...args, ...queue], { cwd: folder });
    return JSON.parse((await expectCode(started, 0)).stdout);
  };
  const submit = ["submit", input, "-o", output, "--shard-rows", "1"];
  const submitted = await json(...submit);
  expect(submitted).toMatchObject({ submitted: parts, shards: parts });
  const again = await json(...submit);
  expect(again).toMatchObject({ submitted: 0, queued: parts });
  const waiting = json("wait", output, "--poll", "0.5");
  const worker = ["worker", "--threads", "1", "--idle-limit", "1"];
  const workers = await Promise.all([json(...worker), json(...worker)]);
  const waited = await waiting;
  expect(workers[0].shardsComputed + workers[1].shardsComputed).toBe(parts);
  return [submitted, ...workers, waited].map(
    ({ peakMemoryBytes }) => peakMemoryBytes,
  );
}

test("1,200 parts", async () => {
  const few = await peaksOf(50);
  const many = await peaksOf(PARTS);
  for (const [k, bytes] of many.entries())
    expect(bytes - (few[k] as number)).toBeLessThan(96 * MB);
  // Of what is done, the queue keeps the last thousand.
  expect(await redis.client.dbsize()).toBeLessThan(1100);
  const info = await redis.client.info("memory");
  const [, used] = /used_memory_peak:(\d+)/.exec(info) ?? [];
  expect(Number(used)).toBeLessThan(32 * MB);
  const whole = join(folder, "whole");
  const input = join(folder, `${PARTS}.arrow`);
  await built.runDataset({ inputs: [input], output: whole, shardRows: 1 });
  expect(filesOf(join(folder, `out-${PARTS}`))).toEqual(filesOf(whole));
});
