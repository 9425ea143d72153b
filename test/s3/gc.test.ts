import { expect, test } from "vitest";
import { expectStatus, writeFolder } from "../dataset/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { at3, BUCKET, s3World } from "../support/s3/s3-world.js";

// Objects and uploads that dead runs leave on S3.

const at = workDirectory();
const size = { rows: 300, classes: 5 };
const inputs = [await writeFolder(at("logits"), ["a"], size)];
const { server, endpoint, softjac, newPrefix, texts, under } = await s3World();
const reference = newPrefix();
const options = { inputs, shardRows: 150, endpoint };
await built.runDataset({ ...options, output: at3(reference) });

const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000);
const put = (key: string, hours: number, bytes: Buffer = Buffer.from("x")) =>
  server.put(BUCKET, key, bytes, ago(hours));
const gc = async (prefix: string, ...more: string[]) => {
  const args = ["gc", at3(prefix), "--json", ...more];
  const { code, ...found } = await softjac(args).ended;
  const { stdout } = expectStatus({ ...found, status: code as number }, 0);
  return JSON.parse(stdout);
};

test("old objects and uploads of an unpublished run are removed, and nothing else", async () => {
  const prefix = newPrefix();
  for (const [name, bytes] of under(reference))
    if (name !== "_SUCCESS") put(`${prefix}/${name}`, 100, bytes);
  put(`${prefix}/mine.txt`, 100);
  put(`${prefix}x/_plan.json`, 100);
  const part = `${prefix}/part-00001-of-00002.arrow`;
  for (const key of [part, `${prefix}/mine.bin`])
    server.uploads.start(BUCKET, key, ago(90));
  const before = texts(prefix);
  const { count } = server.uploads;
  const young = await gc(prefix, "--older-than", "95");
  expect(young).toMatchObject({ dryRun: false, removed: [] });
  expect((await gc(prefix, "--dry-run")).removed).toHaveLength(2);
  expect(texts(prefix)).toEqual(before);
  expect(server.uploads.count).toBe(count);
  expect((await gc(prefix)).removed).toEqual([
    `s3://${BUCKET}/${part} (an upload that has not ended)`,
    `s3://${BUCKET}/${prefix}`,
  ]);
  expect(Object.keys(texts(prefix))).toEqual(["mine.txt"]);
  expect(server.bucket(BUCKET).has(`${prefix}x/_plan.json`)).toBe(true);
  expect(server.uploads.count).toBe(count - 1);
});

test("of a published dataset only uploads are removed; a recent run stays", async () => {
  const prefix = newPrefix();
  for (const [name, bytes] of under(reference))
    put(`${prefix}/${name}`, 100, bytes);
  const upload = `${prefix}/part-00000-of-00002.arrow`;
  server.uploads.start(BUCKET, upload, ago(90));
  const before = texts(prefix);
  expect((await gc(prefix)).removed).toHaveLength(1);
  expect(texts(prefix)).toEqual(before);
  const recent = newPrefix();
  put(`${recent}/_plan.json`, 1, Buffer.from("{}"));
  const kept = { removed: [], kept: [`s3://${BUCKET}/${recent}`] };
  expect(await gc(recent)).toMatchObject({ dryRun: false, ...kept });
  // A process was killed while it sent the first pieces.
  const killed = newPrefix();
  const piece = `${killed}/part-00000-of-00001.arrow`;
  server.uploads.start(BUCKET, piece, ago(0.1));
  expect((await gc(killed, "--older-than", "0")).removed).toHaveLength(1);
});
