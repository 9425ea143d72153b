import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { at3, BUCKET, s3World } from "../support/s3/s3-world.js";

// What dead runs have left on S3, and who else's it is not.

const at = workDirectory();
mkdirSync(at("logits"));
await built.generate({
  output: join(at("logits"), "a.arrow"),
  rows: 300,
  classes: 5,
});
const world = await s3World();
const { server, softjac, newPrefix, texts } = world;

const reference = newPrefix();
await built.runDataset({
  inputs: [at("logits")],
  output: at3(reference),
  shardRows: 150,
  endpoint: world.endpoint,
});

const hours = (n: number) => new Date(Date.now() - n * 3_600_000);
const gc = async (prefix: string, ...more: string[]) => {
  const { status, stdout, stderr } = await softjac([
    "gc",
    at3(prefix),
    "--json",
    ...more,
  ]);
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
};

test("old objects of a run that was not published, and old uploads; nothing else", async () => {
  const prefix = newPrefix();
  const bucket = server.bucket(BUCKET);
  for (const [name, bytes] of world.under(reference))
    if (name !== "_SUCCESS")
      server.put(BUCKET, `${prefix}/${name}`, bytes, hours(100));
  server.put(BUCKET, `${prefix}/mine.txt`, Buffer.from("x"), hours(100));
  server.put(BUCKET, `${prefix}x/_plan.json`, Buffer.from("x"), hours(100));
  const part = `${prefix}/part-00001-of-00002.arrow`;
  server.uploads.start(BUCKET, part, hours(90));
  server.uploads.start(BUCKET, `${prefix}/mine.bin`, hours(90));
  const before = texts(prefix);
  const uploads = server.uploads.count;
  // Younger than is asked for, and looked at only.
  expect(await gc(prefix, "--older-than", "95")).toMatchObject({
    dryRun: false,
    removed: [],
  });
  const dry = await gc(prefix, "--dry-run");
  expect(dry.removed).toHaveLength(2);
  expect(texts(prefix)).toEqual(before);
  expect(server.uploads.count).toBe(uploads);
  expect((await gc(prefix)).removed).toEqual([
    `s3://${BUCKET}/${part} (an upload that has not ended)`,
    `s3://${BUCKET}/${prefix}`,
  ]);
  expect(Object.keys(texts(prefix))).toEqual(["mine.txt"]);
  expect(bucket.has(`${prefix}x/_plan.json`)).toBe(true);
  expect(server.uploads.count).toBe(uploads - 1);
});

test("a published dataset stays, but for uploads into it; a young run stays", async () => {
  const prefix = newPrefix();
  for (const [name, bytes] of world.under(reference))
    server.put(BUCKET, `${prefix}/${name}`, bytes, hours(100));
  server.uploads.start(
    BUCKET,
    `${prefix}/part-00000-of-00002.arrow`,
    hours(90),
  );
  const before = texts(prefix);
  expect((await gc(prefix)).removed).toHaveLength(1);
  expect(texts(prefix)).toEqual(before);
  const young = newPrefix();
  server.put(BUCKET, `${young}/_plan.json`, Buffer.from("{}"), hours(1));
  expect(await gc(young)).toMatchObject({
    dryRun: false,
    removed: [],
    kept: [`s3://${BUCKET}/${young}`],
  });
});

test("what a process left that was killed while it sent pieces", async () => {
  const prefix = newPrefix();
  const name = `${prefix}/part-00000-of-00001.arrow`;
  server.uploads.start(BUCKET, name, hours(0.1));
  expect((await gc(prefix, "--older-than", "0")).removed).toHaveLength(1);
});
