import { mkdirSync } from "node:fs";
import { expect, test } from "vitest";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";
import { writeLargeInputs } from "../../support/s3/large-inputs.js";
import { BUCKET, filesIn, s3World } from "../../support/s3/s3-world.js";

// Only the bytes that a shard needs are fetched from an object, and they give the results of a file.

const at = workDirectory();
mkdirSync(at("in"));
const inputs = await writeLargeInputs((name) => at(`in/${name}`));
const { server, endpoint, upload } = await s3World();
upload(at("in"), "in");

/** Returns the shards of a dataset as text, which is faster to compare. */
const shardsOf = (folder: string) =>
  filesIn(folder)
    .filter(([name]) => name.startsWith("part-"))
    .map(([name, bytes]) => [name, bytes.toString("latin1")]);

test.each(inputs)("%s", async (name, file, options, whole) => {
  const [here, there] = [at(`here ${name}`), at(`there ${name}`)];
  const run = { ...options, shardRows: 4_499, checksums: true };
  const local = { ...run, inputs: [at(`in/${file}`)], output: here };
  const { shards } = await built.runDataset(local);
  const key = `in/${file}`;
  const { bytes, etag } = server.bucket(BUCKET).get(key) ?? {};
  const size = bytes?.byteLength ?? 0;
  let since = server.served.length;
  /** Returns the number of bytes that were fetched, all with the condition on the object's ETag. */
  const fetched = () => {
    const served = server.served.slice(since);
    since += served.length;
    const reads = served.filter(
      (one) => one.method === "GET" && one.key === key,
    );
    return reads.reduce((sum, { headers }) => {
      expect(headers["if-match"]).toBe(etag);
      const [, start, end] = /(\d+)-(\d+)/.exec(headers.range ?? "") ?? [];
      return sum + (Number(end) - Number(start) + 1);
    }, 0);
  };
  const input = `s3://${BUCKET}/${key}`;
  const remote = { ...run, inputs: [input], output: there, endpoint };
  expect((await built.planDataset(remote)).shards).toBe(shards);
  const forPlan = fetched();
  if (!whole) expect(forPlan).toBeLessThan(size / 3);
  await built.runShards({ output: there, limit: 1, endpoint });
  const forOne = fetched();
  if (!whole && shards > 1) expect(forOne).toBeLessThan(0.75 * size);
  await built.runShards({ output: there, endpoint });
  expect(fetched()).toBeGreaterThan(shards > 1 ? 0 : -1);
  await built.finalizeDataset({ output: there });
  expect(shardsOf(there)).toEqual(shardsOf(here));
});
