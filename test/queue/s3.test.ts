import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { RecordedCall } from "../support/recorded-calls.js";
import { at3, BUCKET, filesIn, s3World } from "../support/s3/s3-world.js";
import { countOf, endWorker, queueWorld } from "./dataset.js";
import { expectCode, type StartOptions, start } from "./processes.js";
import { test } from "./redis.js";

// Inputs and outputs on S3, jobs in Redis.

const { at, redis, dataset } = await queueWorld();
const world = await s3World();
world.upload(dataset.folder, "logits");
const parts = (files: Iterable<[string, unknown]>) =>
  [...files].filter(([name]) => name.endsWith(".arrow"));
const run = (line: string, { env, ...options }: StartOptions = {}) =>
  start([...line.split(" "), "--queue", redis.url, "--log-format", "json"], {
    env: { AWS_ENDPOINT_URL: world.endpoint, SOFTJAC_LEASE: "2", ...env },
    ...options,
  });
const submit = (output: string) =>
  run(`submit ${at3("logits")} -o ${output} ${dataset.parts.join(" ")}`);
const worker = (allow: string, options: StartOptions = {}) =>
  run(`worker --threads 1 --allow ${allow}`, options);

test("two workers compute on S3 what one machine computes in a directory, and sync no local file", async () => {
  const output = at3("out");
  const records = [at("calls-0"), at("calls-1")];
  const preload = ["../support/record-calls.mjs"];
  const workers = records.map((RECORD_CALLS) =>
    worker(`s3://${BUCKET}/`, { preload, env: { RECORD_CALLS } }),
  );
  await expectCode(submit(output), 0);
  await expectCode(run(`wait ${output} --poll 0.2`), 0);
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
  const found = world.under("out");
  expect(found.has("_SUCCESS")).toBe(true);
  expect(parts(found)).toEqual(parts(filesIn(at("whole"))));
  expect(parts(found)).toHaveLength(9);
  await expectCode(run(`wait ${output}`), 0);
});
