import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { expectCode, start } from "./processes.js";
import { endRedis, startRedis, test } from "./redis.js";

// In memory: the test is about the queue, and syncs of 1,200 files to a disk are slow.
const base = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const folder = mkdtempSync(join(base, "softjac-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const redis = await startRedis();
afterAll(endRedis);
const MB = 2 ** 20;

/** Computes a dataset of so many shards, and returns the peak memory of submit, two workers and wait. */
async function peaksOf(shards: number): Promise<number[]> {
  const input = join(folder, `${shards}.arrow`);
  const output = join(folder, `out-${shards}`);
  await built.generate({ output: input, rows: shards, classes: 3 });
  const run = async (line: string) => {
    const words = `${line} --queue ${redis.url} --json`.split(" ");
    const ended = await expectCode(start(words, { cwd: folder }), 0);
    return JSON.parse(ended.stdout);
  };
  const submit = `submit ${input} -o ${output} --shard-rows 1`;
  const submitted = await run(submit);
  expect(submitted).toMatchObject({ submitted: shards, shards });
  expect(await run(submit)).toMatchObject({ submitted: 0, queued: shards });
  const worker = "worker --threads 1 --idle-limit 3";
  const [first, second, waited] = await Promise.all(
    [worker, worker, `wait ${output} --poll 0.5`].map(run),
  );
  expect(first.shardsComputed + second.shardsComputed).toBe(shards);
  const whole = join(folder, `whole-${shards}`);
  await built.runDataset({ inputs: [input], output: whole, shardRows: 1 });
  expect(filesOf(output)).toEqual(filesOf(whole));
  return [submitted, first, second, waited].map((r) => r.peakMemoryBytes);
}

test("the memory for 1,200 shards is bounded", async () => {
  const few = await peaksOf(50);
  const many = await peaksOf(1200);
  for (const [k, bytes] of many.entries())
    expect(bytes - (few[k] as number)).toBeLessThan(96 * MB);
  // The queue keeps the last thousand completed jobs.
  expect(await redis.client.dbsize()).toBeLessThan(1100);
  const info = await redis.client.info("memory");
  const [, used] = /used_memory_peak:(\d+)/.exec(info) ?? [];
  expect(Number(used)).toBeLessThan(32 * MB);
});
