import { mkdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { writeLargeInputs } from "../support/s3/large-inputs.js";
import { BUCKET, filesIn, s3World } from "../support/s3/s3-world.js";

// However the rows of an object stand in it, what is fetched of it is what its parts take, and gives the bytes of a file.

const at = workDirectory();
mkdirSync(at("in"));
const inputs = await writeLargeInputs((name) => at(`in/${name}`));
const world = await s3World();
world.upload(at("in"), "in");
const { server, endpoint } = world;
let names = 0;

const parts = (folder: string) =>
  filesIn(folder).filter(([name]) => name.startsWith("part-"));

function expectSameParts(found: string, expected: string): void {
  const [ours, theirs] = [parts(found), parts(expected)];
  expect(ours.map(([name]) => name)).toEqual(theirs.map(([name]) => name));
  const differing = ours.filter(
    ([, bytes], k) => !bytes.equals(theirs[k]?.[1] as Buffer),
  );
  expect(differing.map(([name]) => name)).toEqual([]);
}

function fetched(since: number, key: string): number {
  return server.served
    .slice(since)
    .filter((of) => of.method === "GET" && of.key === key)
    .reduce((sum, { headers }) => {
      const [, start, end] = /(\d+)-(\d+)/.exec(headers.range ?? "") ?? [];
      return sum + (Number(end) - Number(start) + 1);
    }, 0);
}

describe("parts of an object", () => {
  test.each(inputs)("$name", async ({ file, options, whole = false }) => {
    const run = { ...options, shardRows: 4_499, checksums: true } as object;
    const [here, there] = [at(`here-${names}`), at(`there-${names++}`)];
    const local = { ...run, inputs: [at(`in/${file}`)], output: here };
    const report = await built.runDataset(local);
    const remote = {
      ...run,
      inputs: [`s3://${BUCKET}/in/${file}`],
      output: there,
      endpoint,
    };
    const key = `in/${file}`;
    const bytes = server.bucket(BUCKET).get(key)?.bytes.byteLength ?? 0;
    let since = server.served.length;
    const planned = await built.planDataset(remote);
    expect(planned.shards).toBe(report.shards);
    const forPlan = fetched(since, key);
    if (!whole) expect(forPlan).toBeLessThan(bytes / 3);
    since = server.served.length;
    await built.runShards({ output: there, select: [0], endpoint });
    if (!whole && report.shards > 1)
      expect(fetched(since, key)).toBeLessThan(0.75 * bytes);
    await built.runShards({ output: there, endpoint });
    await built.finalizeDataset({ output: there });
    expectSameParts(there, here);
    for (const { method, key: of, headers } of server.served.slice(since))
      if (method === "GET" && of === key)
        expect(headers["if-match"]).toBe(server.bucket(BUCKET).get(key)?.etag);
  });
});
