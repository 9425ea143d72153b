import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { DatasetOptions } from "../../src/dataset/options.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { BUCKET, filesIn, s3World } from "../support/s3/s3-world.js";

// What comes of objects on S3, and what goes there, has the bytes of the run that knows folders alone.

const at = workDirectory();
const folder = at("logits");
mkdirSync(join(folder, "b"), { recursive: true });
for (const [seed, name] of ["a.arrow", "b/c.arrow"].entries())
  await built.generate({
    output: join(folder, name),
    rows: 1000,
    classes: 5,
    seed,
  });
const world = await s3World();
world.upload(folder, "in");
world.server.put(BUCKET, "in/_SUCCESS", Buffer.of());
world.server.put(BUCKET, "in/folder/", Buffer.of());
const { endpoint, newPrefix } = world;
const whole = at("whole");
const options = { shardRows: 300, keep: ["id"], layout: "packed" } as const;
await built.runDataset({ ...options, inputs: [folder], output: whole });

/** Files of a dataset but for what the plan was made of, which is told by ETags on S3 and by times in folders. */
function comparable(
  files: Iterable<readonly [string, Buffer]>,
): Record<string, unknown> {
  return Object.fromEntries(
    [...files].map(([name, bytes]) => {
      if (name.startsWith("part-")) return [name, bytes.toString("base64")];
      if (name === "_plan.json" || name === "_SUCCESS") return [name, "there"];
      const { fingerprint, ...rest } = JSON.parse(bytes.toString());
      expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
      return [name, rest];
    }),
  );
}

describe("to and from S3", () => {
  test.each<[string, Partial<DatasetOptions>, boolean]>([
    ["both", { inputs: [`s3://${BUCKET}/in`] }, true],
    ["a pattern", { inputs: [`s3://${BUCKET}/in/**/*.arrow`] }, true],
    [
      "single objects",
      { inputs: [`s3://${BUCKET}/in/a.arrow`, `s3://${BUCKET}/in/b/c.arrow`] },
      true,
    ],
    ["inputs alone", { inputs: [`s3://${BUCKET}/in/`] }, false],
    ["the output alone", { inputs: [folder] }, true],
  ])("%s", async (_, { inputs = [] }, toS3) => {
    const prefix = newPrefix();
    const output = toS3 ? `s3://${BUCKET}/${prefix}/` : at(prefix);
    const report = await built.runDataset({
      ...options,
      inputs,
      output,
      endpoint,
    });
    expect(report).toMatchObject({
      status: "done",
      shards: 8,
      shardsComputed: 8,
    });
    const found = toS3 ? world.under(prefix) : filesIn(at(prefix));
    expect(comparable(found)).toEqual(comparable(filesIn(whole)));
    const again = await built.runDataset({
      ...options,
      inputs,
      output,
      endpoint,
    });
    expect(again.status).toBe("up to date");
    expect(again.fingerprint).toBe(report.fingerprint);
  });
});

test("a folder's run has its own fingerprint on S3: plan, records, manifest and marker to the byte", async () => {
  const prefix = newPrefix();
  const output = `s3://${BUCKET}/${prefix}`;
  await built.runDataset({ ...options, inputs: [folder], output, endpoint });
  expect(Object.fromEntries(world.under(prefix))).toEqual(
    Object.fromEntries(filesIn(whole)),
  );
  expect(readFileSync(join(whole, "_SUCCESS"))).toEqual(
    world.under(prefix).get("_SUCCESS"),
  );
});

test("parts of many MiB go in pieces, and nothing is left of them here", async () => {
  const input = at("large.arrow");
  await built.generate({ output: input, rows: 25_000, classes: 12, seed: 3 });
  const run = { inputs: [input], shardRows: 12_500, endpoint };
  const prefix = newPrefix();
  await built.runDataset({ ...run, output: at("large") });
  await built.runDataset({ ...run, output: `s3://${BUCKET}/${prefix}` });
  const found = world.under(prefix);
  for (const [name, bytes] of filesIn(at("large")))
    expect(found.get(name)?.equals(bytes), name).toBe(true);
  const pieces = world.server.served.filter(
    ({ key, query }) => key.startsWith(prefix) && query.has("partNumber"),
  );
  expect(pieces.length).toBeGreaterThan(3);
  expect(world.server.uploads.count).toBe(0);
  const left = readdirSync(tmpdir()).filter((name) =>
    name.startsWith(`softjac-${process.pid}-`),
  );
  expect(left).toEqual([]);
});

test("inputs that are left out: what was made of them goes, the rest is published", async () => {
  mkdirSync(at("some-bad"));
  for (const [name, bad] of Object.entries({ good: -1, bad: 150 }))
    writeLogits(join(at("some-bad"), `${name}.arrow`), {
      rows: 200,
      classes: 3,
      logit: (r, k) => (r === bad ? Number.NaN : r + k),
    });
  world.upload(at("some-bad"), "some-bad");
  const run = { shardRows: 100, keepGoing: true, endpoint };
  const prefix = newPrefix();
  const output = `s3://${BUCKET}/${prefix}`;
  const remote = { ...run, inputs: [`s3://${BUCKET}/some-bad/`], output };
  await expect(built.runDataset(remote)).rejects.toMatchObject({
    code: "ERR_INPUTS_SKIPPED",
  });
  expect(world.under(prefix).has("_SUCCESS")).toBe(false);
  await built.runDataset({ ...remote, allowMissing: true });
  const here = { ...run, inputs: [at("some-bad")], output: at("mostly") };
  await built.runDataset({ ...here, allowMissing: true });
  const found = comparable(world.under(prefix));
  expect(Object.keys(found).filter((name) => name.startsWith("part-"))).toEqual(
    ["part-00002-of-00004.arrow", "part-00003-of-00004.arrow"],
  );
  expect(found).toEqual(comparable(filesIn(at("mostly"))));
});
