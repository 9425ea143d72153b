import { readFileSync } from "node:fs";
import { afterAll, afterEach, expect } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import type { RecordedCall } from "../support/recorded-calls.js";
import { BUCKET, filesIn, s3World } from "../support/s3/s3-world.js";
import { countOf, endWorker, expectCode, testDataset } from "./dataset.js";
import { endAll, start } from "./processes.js";
import { endRedis, startRedis, test } from "./redis.js";

// The queue says who might make what, S3 has what is read and made.

const at = workDirectory();
afterEach(endAll);
const redis = await startRedis();
afterAll(endRedis);
const world = await s3World();
const dataset = await testDataset(at, redis);
world.upload(dataset.folder, "logits");
const parts = (files: Iterable<[string, unknown]>) =>
  [...files].filter(([name]) => name.endsWith(".arrow"));
const env = {
  AWS_ENDPOINT_URL: world.endpoint,
  SOFTJAC_LEASE: "2",
};
const queue = ["--queue", redis.url, "--log-format", "json"];
const submit = (output: string) =>
  start(
    [
      "submit",
      `s3://${BUCKET}/logits/`,
      "-o",
      output,
      ...dataset.parts,
      ...queue,
    ],
    { env },
  );
const worker = (allow: string, more: Parameters<typeof start>[1] = {}) =>
  start(["worker", ...queue, "--threads", "1", "--allow", allow], {
    ...more,
    env: { ...env, ...more.env },
  });
const wait = (output: string) =>
  start(["wait", output, ...queue, "--poll", "0.2"], { env });

test("two workers make on S3 what one machine makes in a folder, and sync nothing on this machine", async () => {
  const output = `s3://${BUCKET}/out/`;
  const records = [at("calls-0"), at("calls-1")];
  const workers = records.map((record) =>
    worker(`s3://${BUCKET}/`, {
      preload: ["../support/record-calls.mjs"],
      env: { RECORD_CALLS: record },
    }),
  );
  await expectCode(submit(output), 0);
  await expectCode(wait(output), 0);
  const said = (await Promise.all(workers.map(endWorker))).join("");
  expect(countOf(said, "shard completed")).toBe(9);
  const calls = records
    .flatMap((record) => readFileSync(record, "utf8").trim().split("\n"))
    .map((line): RecordedCall => JSON.parse(line));
  const made = calls.filter(
    ({ call, path }) => call === "open" && /\/softjac-[^/]+$/.test(path),
  );
  expect(made.length).toBeGreaterThanOrEqual(9);
  expect(calls.filter(({ call }) => /sync/.test(call))).toEqual([]);
  expect(world.under("out").has("_SUCCESS")).toBe(true);
  const whole = at("whole-again");
  await built.runDataset({
    inputs: [dataset.folder],
    output: whole,
    shardRows: 200,
  });
  const expected = parts(filesIn(whole));
  expect(expected.length).toBe(9);
  expect(parts(world.under("out"))).toEqual(expected);
  await expectCode(wait(output), 0);
});

test("a worker that may touch another prefix alone refuses its jobs", async () => {
  const output = `s3://${BUCKET}/refused/`;
  await expectCode(submit(output), 0);
  const other = worker(`s3://${BUCKET}/elsewhere/`);
  await other.until(/is outside the locations that --allow permits/);
  await endWorker(other);
  expect(parts(world.under("refused"))).toEqual([]);
});
