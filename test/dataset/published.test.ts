import fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fingerprintOf } from "../../src/dataset/dataset-plan.js";
import { typed } from "../cli/support.js";
import { built } from "../support/built.js";
import { refused } from "../support/refused.js";
import {
  expectStatus,
  expectWhole,
  flip,
  keepingTime,
  makeNewer,
  partOf,
  publishedDatasets,
  readJson,
} from "./support.js";

// A published dataset is compared with its records; once it is unpublished, the same command computes what was damaged.

const { folder, options, plain, checked, whole, newOutput, copyOf } =
  await publishedDatasets();
const part = (output: string, k: number) => partOf(output, k, 4);
const finalize = (output: string) => built.finalizeDataset({ output });

test.each<
  [string, "plain" | "checked", damage: (path: string) => void, found: string]
>([
  ["removed", "plain", (path) => fs.rmSync(path), "is missing"],
  [
    "truncated, with its old time",
    "plain",
    (path) => keepingTime(path, () => fs.truncateSync(path, 1000)),
    "has 1000 bytes instead of SIZE",
  ],
  [
    "appended to",
    "checked",
    (path) => fs.appendFileSync(path, "x"),
    "has MORE bytes instead of SIZE",
  ],
  [
    "modified",
    "plain",
    (path) => {
      flip(path);
      makeNewer(path);
    },
    "was modified after it was recorded",
  ],
  [
    "modified, with its old time",
    "checked",
    (path) => keepingTime(path, () => flip(path)),
    "does not match its SHA-256 in the record",
  ],
  [
    "replaced by a link",
    "plain",
    (path) => {
      const moved = newOutput();
      fs.renameSync(path, moved);
      fs.symlinkSync(moved, path);
    },
    "is not a regular file",
  ],
])("a shard was %s (%s): it is named, and computed again", async (...row) => {
  const [, kind, damage, text] = row;
  const output = copyOf(kind === "plain" ? plain : checked);
  const { size } = fs.statSync(part(output, 2));
  damage(part(output, 2));
  const file = "part-00002-of-00004.arrow";
  const problem = text
    .replace("SIZE", `${size}`)
    .replace("MORE", `${size + 1}`);
  const { fingerprint } = readJson(output, "_SUCCESS");
  const unpublished = `${output}.__wip-${fingerprint}`;
  const message = `${output}: 1 files of the published dataset of 4 shards are missing or damaged; rename the directory to ${unpublished}, remove these files in it and run the same command again: ${file} ${problem}`;
  const all = { ...options, output, checksums: kind === "checked" };
  for (const call of [
    () => built.runDataset(all),
    () => built.runShards({ output, shardIndex: 0, shardCount: 2 }),
    () => finalize(output),
  ])
    await refused(call(), "ERR_DATASET_DAMAGED", message, {
      report: { status: "failed", damaged: [{ file, problem }] },
    });
  // The other task has no damaged shard.
  const other = { output, shardIndex: 1, shardCount: 2 };
  expect((await built.runShards(other)).status).toBe("up to date");
  fs.renameSync(output, unpublished);
  // Only a comparison with the SHA-256 finds it.
  if (problem.includes("SHA-256")) fs.rmSync(part(unpublished, 2));
  const incomplete = { missing: [2] };
  await refused(finalize(output), "ERR_INCOMPLETE", /./, incomplete);
  const computed = { shardsUpToDate: 3, shardsComputed: 1 };
  expect(await built.runDataset(all)).toMatchObject(computed);
  expectWhole(output, whole[kind]);
  expect((await finalize(output)).status).toBe("up to date");
});

test("the commands and their exit codes", () => {
  const output = copyOf(plain);
  for (const k of [0, 1, 3]) fs.rmSync(part(output, k));
  const named =
    "part-00000-of-00004.arrow is missing; part-00001-of-00004.arrow is missing; part-00003-of-00004.arrow is missing";
  for (const found of [
    typed`run ${folder} -o ${output}/ --shard-rows 40`,
    typed`run-shard -o ${output}`,
    typed`finalize ${output}`,
  ])
    expect(expectStatus(found, 65).stderr).toContain(named);
  expect(expectStatus(typed`status ${output}`, 65).stdout).toMatch(
    /damaged +0-1, 3\n +part-00000-of-00004.arrow is missing\n/,
  );
});

test("a copy with new times is valid if its shards have their SHA-256", async () => {
  const [one, two] = [copyOf(checked), copyOf(plain)];
  for (const output of [one, two]) makeNewer(part(output, 1));
  expect((await finalize(one)).status).toBe("up to date");
  const unknown =
    /part-00001-of-00004.arrow was modified after it was recorded/;
  await refused(finalize(two), "ERR_DATASET_DAMAGED", unknown);
});

test.each<[name: string, text: string | null, found: RegExp]>([
  ["_manifest.json", null, /_manifest.json is missing$/],
  [
    "_manifest.json",
    "{}",
    /_manifest.json does not match its SHA-256 in _SUCCESS$/,
  ],
  ["_commits/00001.json", null, /part-00001-of-00004.arrow has no record$/],
])("%s with the text %s", async (name, text, found) => {
  const output = copyOf(plain);
  fs.rmSync(join(output, name));
  if (text !== null) fs.writeFileSync(join(output, name), text);
  await refused(finalize(output), "ERR_DATASET_DAMAGED", found);
  const { fingerprint } = readJson(output, "_SUCCESS");
  const unpublished = `${output}.__wip-${fingerprint}`;
  fs.renameSync(output, unpublished);
  fs.rmSync(join(unpublished, name), { force: true });
  await built.runDataset({ ...options, output });
  expectWhole(output, whole.plain);
});

test("a dataset of another version, and one behind a link, are checked", async () => {
  const [output, link] = [copyOf(plain), newOutput()];
  const plan = readJson(output, "_plan.json");
  const old = plan.fingerprint;
  plan.of.softjac = "0.0.9";
  plan.fingerprint = fingerprintOf(plan.of);
  fs.writeFileSync(join(output, "_plan.json"), JSON.stringify(plan));
  const records = [0, 1, 2, 3].map((k) => `_commits/0000${k}.json`);
  for (const name of ["_SUCCESS", ...records]) {
    const text = fs.readFileSync(join(output, name), "utf8");
    fs.writeFileSync(join(output, name), text.replace(old, plan.fingerprint));
  }
  fs.symlinkSync(output, link);
  expect((await finalize(link)).status).toBe("up to date");
});

test("the comparison of shards can be stopped", async () => {
  const output = copyOf(checked);
  await refused(
    built.finalizeDataset({ output }, { signal: AbortSignal.abort() }),
    "ERR_STOPPED",
    `${output}: stopped before all 4 published shards were compared with their records; run the same command again`,
  );
});
