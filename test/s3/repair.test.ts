import { expect, test } from "vitest";
import { writeFolder } from "../dataset/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { refused } from "../support/refused.js";
import { at3, BUCKET, flipped, s3World } from "../support/s3/s3-world.js";

test("objects that are missing, modified or truncated are named and repaired", async () => {
  const { server, under, endpoint } = await s3World();
  const folder = workDirectory()("logits");
  const size = { rows: 300, classes: 5 };
  const inputs = [await writeFolder(folder, ["a"], size)];
  const call = { output: at3("out"), endpoint };
  const options = { inputs, shardRows: 100, checksums: true };
  await built.runDataset({ ...call, ...options });
  const whole = under("out");
  const part = (k: number) => `part-0000${k}-of-00003.arrow`;
  const put = (k: number, bytes: Buffer) =>
    server.put(BUCKET, `out/${part(k)}`, bytes, new Date(0));
  server.bucket(BUCKET).delete(`out/${part(0)}`);
  put(1, flipped(whole.get(part(1)) as Buffer));
  put(2, Buffer.from("x"));
  const shortened = expect.stringMatching(/^has 1 bytes instead of \d+$/);
  await refused(built.finalizeDataset(call), "ERR_DATASET_DAMAGED", /./, {
    damaged: [
      { file: part(0), problem: "is missing" },
      { file: part(1), problem: "does not match its SHA-256 in the record" },
      { file: part(2), problem: shortened },
    ],
  });
  const repaired = await built.runShards({ ...call, repair: true });
  expect(repaired).toMatchObject({ status: "done", shardsComputed: 3 });
  expect(under("out")).toEqual(whole);
  expect((await built.finalizeDataset(call)).status).toBe("up to date");
});
