import { expect, test } from "vitest";
import { writeFolder } from "../../dataset/support.js";
import { expectCode } from "../../queue/processes.js";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";
import { at3, BUCKET, s3World } from "../../support/s3/s3-world.js";

// Uploads that dead runs leave on S3.

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
  return JSON.parse((await expectCode(softjac(args), 0)).stdout);
};

test("old uploads of shards are aborted, and nothing else is removed", async () => {
  const prefix = newPrefix();
  for (const [name, bytes] of under(reference))
    put(`${prefix}/${name}`, 100, bytes);
  const part = `${prefix}/part-00001-of-00002.arrow`;
  for (const key of [part, `${prefix}/mine.bin`])
    server.uploads.start(BUCKET, key, ago(90));
  const before = texts(prefix);
  const { count } = server.uploads;
  const upload = `s3://${BUCKET}/${part} (an upload that has not ended)`;
  const young = await gc(prefix, "--older-than", "95");
  const none = { dryRun: false, removed: [], kept: [upload] };
  expect(young).toMatchObject(none);
  expect((await gc(prefix, "--dry-run")).removed).toEqual([upload]);
  expect(server.uploads.count).toBe(count);
  expect((await gc(prefix)).removed).toEqual([upload]);
  expect(server.uploads.count).toBe(count - 1);
  expect(texts(prefix)).toEqual(before);
});
