import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { BUCKET, s3World } from "../support/s3/s3-world.js";

// A published dataset on S3 is compared with its records; damaged objects are removed and put again.

const at = workDirectory();
mkdirSync(at("logits"));
await built.generate({
  output: join(at("logits"), "a.arrow"),
  rows: 300,
  classes: 5,
});
const { server, under, endpoint } = await s3World();
const output = `s3://${BUCKET}/out/`;
await built.runDataset({
  inputs: [at("logits")],
  output,
  shardRows: 100,
  checksums: true,
  endpoint,
});
const whole = new Map(under("out"));

test("objects that are missing, cut or replaced are named, and repaired", async () => {
  const part = (k: number) => `part-0000${k}-of-00003.arrow`;
  const bucket = server.bucket(BUCKET);
  bucket.delete(`out/${part(0)}`);
  const other = Buffer.from(whole.get(part(1)) as Uint8Array);
  other[100] = (other[100] as number) ^ 1;
  server.put(BUCKET, `out/${part(1)}`, other, new Date(0));
  server.put(BUCKET, `out/${part(2)}`, Buffer.from("x"), new Date(0));
  await expect(
    built.finalizeDataset({ output, endpoint }),
  ).rejects.toMatchObject({
    code: "ERR_DATASET_DAMAGED",
    damaged: [
      { file: part(0), problem: "is missing" },
      { file: part(1), problem: "does not match its SHA-256 in the record" },
      {
        file: part(2),
        problem: expect.stringMatching(/^has 1 bytes instead of/),
      },
    ],
  });
  const repaired = await built.runShards({ output, endpoint, repair: true });
  expect(repaired).toMatchObject({ status: "done", shardsComputed: 3 });
  expect(new Map(under("out"))).toEqual(whole);
  const again = await built.finalizeDataset({ output, endpoint });
  expect(again.status).toBe("up to date");
});
