import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { built } from "../../support/built.js";
import { writeLogits } from "../../support/logits-input.js";
import { refused } from "../../support/refused.js";
import {
  at3,
  BUCKET,
  filesIn,
  flipped,
  logitsWorld,
} from "../../support/s3/s3-world.js";

// A run from or to S3 gives the bytes of a run over directories.

const size = { rows: 1000, classes: 5 };
const world = await logitsWorld(["a", "b/c"], size);
const { at, folder, server, endpoint, newPrefix, upload, under } = world;
for (const name of ["in/_SUCCESS", "in/folder/"])
  server.put(BUCKET, name, Buffer.of());
const whole = at("whole");
const options = { shardRows: 300, keep: ["id"], layout: "packed" } as const;
await built.runDataset({ ...options, inputs: [folder], output: whole });

/** Returns the files of a dataset, without the states of inputs in the plan: ETags on S3, times in directories. */
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

test.each([
  ["a prefix to S3", ["in"], true],
  ["a pattern to S3", ["in/**/*.arrow"], true],
  ["single objects to S3", ["in/a.arrow", "in/b/c.arrow"], true],
  ["a prefix to a directory", ["in/"], false],
])("%s", async (_, keys, toS3) => {
  const prefix = newPrefix();
  const inputs = keys.map((key) => `s3://${BUCKET}/${key}`);
  const output = toS3 ? at3(prefix) : at(prefix);
  const run = { ...options, inputs, output, endpoint };
  const { fingerprint, ...report } = await built.runDataset(run);
  const computed = { status: "done", shards: 8, shardsComputed: 8 };
  expect(report).toMatchObject(computed);
  const found = toS3 ? under(prefix) : filesIn(at(prefix));
  expect(comparable(found)).toEqual(comparable(filesIn(whole)));
  const again = { status: "up to date", fingerprint };
  expect(await built.runDataset(run)).toMatchObject(again);
});

test("many concurrent requests cause no warning of Node", async () => {
  const warnings: string[] = [];
  const onWarning = ({ message }: Error) => void warnings.push(message);
  process.on("warning", onWarning);
  const inputs = [join(folder, "a.arrow")];
  const output = at3(newPrefix());
  await built.runDataset({ inputs, output, endpoint, shardRows: 40 });
  await setImmediate();
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});

test("a directory to S3 gives every byte of a directory to a directory", async () => {
  const prefix = newPrefix();
  const run = { ...options, inputs: [folder], output: at3(prefix), endpoint };
  expect((await built.runDataset(run)).status).toBe("done");
  expect([...under(prefix)]).toEqual(filesIn(whole));
  expect((await built.runDataset(run)).status).toBe("up to date");
});

test("large shards are uploaded in pieces, and no temporary file is left", async () => {
  const input = at("large.arrow");
  await built.generate({ output: input, rows: 25_000, classes: 12, seed: 3 });
  const run = { inputs: [input], shardRows: 12_500, endpoint };
  const prefix = newPrefix();
  await built.runDataset({ ...run, output: at("large") });
  await built.runDataset({ ...run, output: at3(prefix) });
  const found = under(prefix);
  for (const [name, bytes] of filesIn(at("large")))
    expect(found.get(name)?.equals(bytes), name).toBe(true);
  const pieces = server.served.filter(
    ({ key, query }) => key.startsWith(prefix) && query.has("partNumber"),
  );
  expect(pieces.length).toBeGreaterThan(3);
  expect(server.uploads.count).toBe(0);
  const own = `softjac-${process.pid}-`;
  const left = fs.readdirSync(tmpdir()).filter((name) => name.startsWith(own));
  expect(left).toEqual([]);
});

test("shards of skipped inputs are removed, the others published", async () => {
  fs.mkdirSync(at("mixed"));
  for (const [name, bad] of [
    ["bad", 150],
    ["good", -1],
  ] as const) {
    const logit = (r: number, k: number) => (r === bad ? Number.NaN : r + k);
    writeLogits(at(`mixed/${name}.arrow`), { rows: 200, classes: 3, logit });
  }
  upload(at("mixed"), "mixed");
  const run = { shardRows: 100, keepGoing: true, endpoint };
  const prefix = newPrefix();
  const remote = { ...run, inputs: [at3("mixed")], output: at3(prefix) };
  await refused(built.runDataset(remote), "ERR_INPUTS_SKIPPED");
  expect(under(prefix).has("_SUCCESS")).toBe(false);
  await built.runDataset({ ...remote, allowMissing: true });
  const here = { ...run, inputs: [at("mixed")], output: at("here") };
  await built.runDataset({ ...here, allowMissing: true });
  const found = comparable(under(prefix));
  expect(Object.keys(found).filter((name) => name.startsWith("part-"))).toEqual(
    ["part-00002-of-00004.arrow", "part-00003-of-00004.arrow"],
  );
  expect(found).toEqual(comparable(filesIn(at("here"))));
});

test("objects that are missing, modified or truncated are named and repaired", async () => {
  const prefix = newPrefix();
  const call = { output: at3(prefix), endpoint };
  const run = { inputs: [folder], shardRows: 900, checksums: true };
  await built.runDataset({ ...call, ...run });
  const published = under(prefix);
  const part = (k: number) => `part-0000${k}-of-00004.arrow`;
  const put = (k: number, bytes: Buffer) =>
    server.put(BUCKET, `${prefix}/${part(k)}`, bytes, new Date(0));
  server.bucket(BUCKET).delete(`${prefix}/${part(0)}`);
  put(1, flipped(published.get(part(1)) as Buffer));
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
  expect(under(prefix)).toEqual(published);
  expect((await built.finalizeDataset(call)).status).toBe("up to date");
});
