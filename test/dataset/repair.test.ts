import fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { typed } from "../cli/support.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { refused } from "../support/refused.js";
import {
  expectStatus,
  expectWhole,
  flip,
  keepingTime,
  leftOf,
  makeNewer,
  partOf,
  planByOtherVersion,
  publishedDatasets,
  readJson,
} from "./support.js";

// A published dataset is compared with its records; damaged shards are computed again.

const { folder, options, plain, checked, whole, newOutput, copyOf } =
  await publishedDatasets();
const part = (output: string, k: number) => partOf(output, k, 4);
const finalize = (output: string) => built.finalizeDataset({ output });
const repair = (output: string) => built.runShards({ output, repair: true });

/** What happened to a shard: with records of which kind, the damage, and the problem that is found. */
const DAMAGE: Record<
  string,
  ["plain" | "checked", damage: (path: string) => void, found: string]
> = {
  removed: ["plain", (path) => fs.rmSync(path), "is missing"],
  "truncated, with its old time": [
    "plain",
    (path) => keepingTime(path, () => fs.truncateSync(path, 1000)),
    "has 1000 bytes instead of SIZE",
  ],
  "appended to": [
    "checked",
    (path) => fs.appendFileSync(path, "x"),
    "has MORE bytes instead of SIZE",
  ],
  modified: [
    "plain",
    (path) => {
      flip(path);
      makeNewer(path);
    },
    "was modified after it was recorded",
  ],
  "modified, with its old time": [
    "checked",
    (path) => keepingTime(path, () => flip(path)),
    "does not match its SHA-256 in the record",
  ],
  "replaced by a link": [
    "plain",
    (path) => {
      const moved = newOutput();
      fs.renameSync(path, moved);
      fs.symlinkSync(moved, path);
    },
    "is not a regular file",
  ],
};

test.each(Object.entries(DAMAGE))(
  "a shard was %s: it is named and repaired",
  async (...row) => {
    const [, [kind, damage, text]] = row;
    const output = copyOf(kind === "plain" ? plain : checked);
    const { size } = fs.statSync(part(output, 2));
    const times = () =>
      [0, 1, 3].map((k) => fs.statSync(part(output, k)).mtimeMs);
    const before = times();
    damage(part(output, 2));
    const file = "part-00002-of-00004.arrow";
    const problem = text
      .replace("SIZE", `${size}`)
      .replace("MORE", `${size + 1}`);
    const message = `${output}: 1 file of the published dataset of 4 shards is missing or damaged; use softjac run or run-shard with --repair to recompute them: ${file} ${problem}`;
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
    const report = await built.runDataset({ ...all, repair: true });
    const done = { status: "done", shardsComputed: 1, damaged: [] };
    expect(report).toMatchObject(done);
    expectWhole(output, whole[kind]);
    expect(fs.lstatSync(part(output, 2)).isFile()).toBe(true);
    expect(times()).toEqual(before);
    expect((await finalize(output)).status).toBe("up to date");
    expect((await built.datasetStatus({ output })).problems).toEqual([]);
  },
);

test("the commands, their exit codes, and a limit", () => {
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
    /damaged +shards 0-1, 3\n +part-00000-of-00004.arrow is missing\n/,
  );
  const some = typed`run-shard -o ${output} --repair --limit 2`;
  expect(expectStatus(some, 65).stderr).toContain("1 file of the published");
  const rest = expectStatus(typed`run-shard -o ${output} --repair`, 0);
  expect(rest.stderr).toMatch(/shards +4: 1 computed now, 3 before/);
  expect(filesOf(output)).toEqual(whole.plain);
  const again = typed`run ${folder} -o ${output}/ --shard-rows 40 --repair`;
  expect(again.stderr).toContain("up to date");
});

test("a copy with new times is valid if its shards have their SHA-256", async () => {
  const [one, two] = [copyOf(checked), copyOf(plain)];
  for (const output of [one, two]) makeNewer(part(output, 1));
  expect((await finalize(one)).status).toBe("up to date");
  const unknown =
    /part-00001-of-00004.arrow was modified after it was recorded/;
  await refused(finalize(two), "ERR_DATASET_DAMAGED", unknown);
});

const MANIFEST = "_manifest.json";
const RECORD = "_commits/00001.json";
test.each<[string, { [name: string]: string | null }, RegExp?]>([
  ["no manifest", { [MANIFEST]: null }, /_manifest.json is missing/],
  [
    "another manifest",
    { [MANIFEST]: "{}" },
    /_manifest.json does not match its SHA-256 in _SUCCESS/,
  ],
  // The manifest has a copy of the record.
  ["no record", { [RECORD]: null }],
  ["another record", { [RECORD]: "{" }],
  [
    "no record and no manifest",
    { [MANIFEST]: null, [RECORD]: null },
    /part-00001-of-00004.arrow has no record; _manifest.json is missing/,
  ],
])("%s", async (_, changes, found) => {
  const output = copyOf(plain);
  for (const [name, text] of Object.entries(changes))
    if (text === null) fs.rmSync(join(output, name));
    else fs.writeFileSync(join(output, name), text);
  if (found) await refused(finalize(output), "ERR_DATASET_DAMAGED", found);
  else {
    expect((await finalize(output)).status).toBe("up to date");
    fs.rmSync(part(output, 1));
  }
  await repair(output);
  expect(filesOf(output)).toEqual(whole.plain);
});

test("a recomputed shard that differs from its record replaces nothing", async () => {
  const output = copyOf(checked);
  const name = join(output, RECORD);
  const { sha256, bytes } = readJson(name);
  const other = "0".repeat(64);
  const text = fs.readFileSync(name, "utf8").replace(sha256, other);
  fs.writeFileSync(name, text);
  const before = filesOf(output);
  const about = `40 rows, ${bytes} bytes, SHA-256`;
  await refused(
    repair(output),
    "ERR_INTERNAL",
    `${part(output, 1)}: the recomputed shard (${about} ${sha256}) differs from its record (${about} ${other}); nothing was replaced`,
  );
  expectWhole(output, before);
});

test("a dataset of another version is checked but not repaired", async () => {
  const output = copyOf(plain);
  const { fingerprint } = readJson(output, "_plan.json");
  const other = planByOtherVersion(output);
  const records = [0, 1, 2, 3].map((k) => `_commits/0000${k}.json`);
  for (const name of ["_SUCCESS", ...records]) {
    const text = fs.readFileSync(join(output, name), "utf8");
    fs.writeFileSync(join(output, name), text.replace(fingerprint, other));
  }
  expect((await finalize(output)).status).toBe("up to date");
  fs.rmSync(part(output, 0));
  await refused(repair(output), "ERR_CONFIGURATION");
});

test("a dataset behind a link is checked but not repaired", async () => {
  const [output, link] = [copyOf(plain), newOutput()];
  fs.symlinkSync(output, link);
  expect((await finalize(link)).status).toBe("up to date");
  fs.rmSync(part(output, 0));
  await refused(
    repair(link),
    "ERR_OUTPUT_EXISTS",
    `${link} is a link, device or pipe, not a directory; choose another output`,
  );
  expect(fs.existsSync(part(output, 0))).toBe(false);
  expect(leftOf(link)).toEqual([]);
});

test("the comparison of shards can be stopped", async () => {
  const output = copyOf(checked);
  await refused(
    built.finalizeDataset({ output }, { signal: AbortSignal.abort() }),
    "ERR_STOPPED",
    `${output}: stopped before all 4 published shards were compared with their records; run the same command again`,
  );
});

test("a dataset that is replaced during the comparison is not reported as damaged", async () => {
  const [output, other] = [copyOf(checked), newOutput()];
  await built.runDataset({ ...options, output: other, temperature: 2 });
  const replace = () => {
    if (!fs.existsSync(other)) return;
    fs.renameSync(output, `${output} old`);
    fs.renameSync(other, output);
  };
  fs.appendFileSync(part(output, 0), "x");
  const work = built.finalizeDataset({ output }, { onProgress: replace });
  await refused(
    work,
    "ERR_IO",
    `${output}: another run replaced or removed the dataset during the check; run the same command again`,
  );
});
