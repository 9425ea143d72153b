import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fingerprintOf } from "../../src/dataset/dataset-plan.js";
import { softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { leftOf } from "./outputs.js";
import { flip, keepingTime, partOf, publishedDatasets } from "./published.js";

// A published dataset is compared with its records before anything is called done; damaged parts are computed again.

const { folder, options, plain, checked, whole, newOutput, copyOf } =
  await publishedDatasets();

const hour = 3600_000;
const later = () => new Date(Date.now() + hour);

/** Every damage: of which dataset, what is done to a part, and what is said of it. */
const DAMAGES: [string, "plain" | "checked", (path: string) => void, string][] =
  [
    ["removed", "plain", (path) => rmSync(path), "is missing"],
    [
      "cut, with its old time",
      "plain",
      (path) => keepingTime(path, () => truncateSync(path, 1000)),
      "has 1000 bytes instead of BYTES",
    ],
    [
      "appended to",
      "checked",
      (path) => appendFileSync(path, "x"),
      "has MORE bytes instead of BYTES",
    ],
    [
      "changed since",
      "plain",
      (path) => {
        flip(path);
        utimesSync(path, later(), later());
      },
      "was modified after it was recorded",
    ],
    [
      "changed, with its old time",
      "checked",
      (path) => keepingTime(path, () => flip(path)),
      "does not match its SHA-256 in the record",
    ],
    [
      "replaced by a link",
      "plain",
      (path) => {
        const moved = newOutput();
        renameSync(path, moved);
        symlinkSync(moved, path);
      },
      "is not a regular file",
    ],
  ];

test.each(DAMAGES)(
  "a part that was %s (%s): 65, named; --repair computes it again",
  async (_, kind, damage, text) => {
    const output = copyOf(kind === "plain" ? plain : checked);
    const { size } = statSync(partOf(output, 2));
    const times = [0, 1, 3].map((k) => statSync(partOf(output, k)).mtimeMs);
    damage(partOf(output, 2));
    const found = text
      .replace("BYTES", `${size}`)
      .replace("MORE", `${size + 1}`);
    const refused = {
      code: "ERR_DATASET_DAMAGED",
      message: `${output}: 1 files of the published dataset of 4 shards are missing or damaged; use --repair to recompute them: part-00002-of-00004.arrow ${found}`,
      report: {
        status: "failed",
        damaged: [{ file: "part-00002-of-00004.arrow", problem: found }],
      },
    };
    const all = { ...options, output, checksums: kind === "checked" };
    for (const call of [
      () => built.runDataset(all),
      () => built.runShards({ output, shardIndex: 0, shardCount: 2 }),
      () => built.finalizeDataset({ output }),
    ])
      await expect(call()).rejects.toMatchObject(refused);
    // Parts of other tasks are theirs.
    const other = { output, shardIndex: 1, shardCount: 2 };
    expect((await built.runShards(other)).status).toBe("up to date");
    const report = await built.runDataset({ ...all, repair: true });
    expect(report).toMatchObject({
      status: "done",
      shardsComputed: 1,
      damaged: [],
    });
    expect(filesOf(output)).toEqual(whole[kind]);
    expect(statSync(partOf(output, 2)).isFile()).toBe(true);
    expect([0, 1, 3].map((k) => statSync(partOf(output, k)).mtimeMs)).toEqual(
      times,
    );
    expect(leftOf(output)).toEqual([]);
    expect((await built.finalizeDataset({ output })).status).toBe("up to date");
    expect((await built.datasetStatus({ output })).problems).toEqual([]);
  },
);

test("the commands, their exit codes, and a limit", () => {
  const output = copyOf(plain);
  for (const k of [0, 1, 3]) rmSync(partOf(output, k));
  const run = ["run", folder, "-o", `${output}/`, "--shard-rows", "40"];
  for (const command of [
    run,
    ["run-shard", "-o", output],
    ["finalize", output],
  ]) {
    const { status, stderr } = softjac(...command);
    expect(status).toBe(65);
    expect(stderr).toContain(
      "part-00000-of-00004.arrow is missing; part-00001-of-00004.arrow is missing; part-00003-of-00004.arrow is missing",
    );
  }
  const looked = softjac("status", output);
  expect(looked.status).toBe(65);
  expect(looked.stdout).toMatch(
    /damaged +0-1, 3\n +part-00000-of-00004.arrow is missing\n/,
  );
  const some = softjac("run-shard", "-o", output, "--repair", "--limit", "2");
  expect(some.status).toBe(65);
  expect(some.stderr).toContain("1 files of the published");
  const rest = softjac("run-shard", "-o", output, "--repair");
  expect(rest.status, rest.stderr).toBe(0);
  expect(rest.stderr).toMatch(/shards +4: 1 computed now, 3 before/);
  expect(filesOf(output)).toEqual(whole.plain);
  expect(softjac(...run, "--repair").stderr).toContain("up to date");
});

test("a copy with new times is sound if its parts have their SHA-256; else nobody can tell", async () => {
  const [one, two] = [copyOf(checked), copyOf(plain)];
  for (const output of [one, two])
    utimesSync(partOf(output, 1), later(), later());
  const report = await built.finalizeDataset({ output: one });
  expect(report.status).toBe("up to date");
  await expect(built.finalizeDataset({ output: two })).rejects.toThrow(
    "part-00001-of-00004.arrow was modified after it was recorded",
  );
});

test.each<[string, (output: string) => void, string | null]>([
  [
    "manifest is missing",
    (out) => rmSync(join(out, "_manifest.json")),
    "_manifest.json is missing",
  ],
  [
    "manifest is another",
    (out) => appendFileSync(join(out, "_manifest.json"), " "),
    "_manifest.json does not match its SHA-256 in _SUCCESS",
  ],
  // The manifest has it once more.
  [
    "record is missing",
    (out) => rmSync(join(out, "_commits/00001.json")),
    null,
  ],
  [
    "record is another",
    (out) => writeFileSync(join(out, "_commits/00001.json"), "{"),
    null,
  ],
  [
    "record and manifest are missing",
    (out) => {
      rmSync(join(out, "_manifest.json"));
      rmSync(join(out, "_commits/00001.json"));
    },
    "part-00001-of-00004.arrow has no record; _manifest.json is missing",
  ],
])("the %s", async (_, damage, found) => {
  const output = copyOf(plain);
  damage(output);
  if (found === null) {
    expect((await built.finalizeDataset({ output })).status).toBe("up to date");
    rmSync(partOf(output, 1));
  } else await expect(built.finalizeDataset({ output })).rejects.toThrow(found);
  await built.runShards({ output, repair: true });
  expect(filesOf(output)).toEqual(whole.plain);
});

test("a part that would not have the bytes of its record is not replaced: 70", async () => {
  const output = copyOf(checked);
  const name = join(output, "_commits/00001.json");
  const { sha256 } = JSON.parse(readFileSync(name, "utf8"));
  const text = readFileSync(name, "utf8").replace(sha256, "0".repeat(64));
  writeFileSync(name, text);
  const before = filesOf(output);
  const { size } = statSync(partOf(output, 1));
  await expect(built.runShards({ output, repair: true })).rejects.toMatchObject(
    {
      code: "ERR_INTERNAL",
      message: `${partOf(output, 1)}: the recomputed shard (40 rows, ${size} bytes, SHA-256 ${sha256}) differs from its record (40 rows, ${size} bytes, SHA-256 ${"0".repeat(64)}); nothing was replaced`,
    },
  );
  expect(filesOf(output)).toEqual(before);
  expect(leftOf(output)).toEqual([]);
});

test("a dataset that another version has made is checked, and not repaired", async () => {
  const output = copyOf(plain);
  const path = join(output, "_plan.json");
  const plan = JSON.parse(readFileSync(path, "utf8"));
  const old = plan.fingerprint;
  plan.of.softjac = "0.0.9";
  plan.fingerprint = fingerprintOf(plan.of);
  writeFileSync(path, JSON.stringify(plan));
  for (const name of [
    "_SUCCESS",
    ...[0, 1, 2, 3].map((k) => `_commits/0000${k}.json`),
  ]) {
    const text = readFileSync(join(output, name), "utf8");
    writeFileSync(join(output, name), text.replace(old, plan.fingerprint));
  }
  expect((await built.finalizeDataset({ output })).status).toBe("up to date");
  rmSync(partOf(output, 0));
  await expect(built.runShards({ output, repair: true })).rejects.toMatchObject(
    { code: "ERR_CONFIGURATION" },
  );
});

test("a dataset behind a link is checked, and not repaired through the link", async () => {
  const [output, link] = [copyOf(plain), newOutput()];
  symlinkSync(output, link);
  expect((await built.finalizeDataset({ output: link })).status).toBe(
    "up to date",
  );
  rmSync(partOf(output, 0));
  await expect(
    built.runShards({ output: link, repair: true }),
  ).rejects.toMatchObject({
    code: "ERR_OUTPUT_EXISTS",
    message: `${link} is a link, device or pipe, not a directory; choose another output`,
  });
  expect(existsSync(partOf(output, 0))).toBe(false);
});

test("stopped while parts are compared", async () => {
  const output = copyOf(checked);
  const stopped = built.finalizeDataset(
    { output },
    { signal: AbortSignal.abort() },
  );
  await expect(stopped).rejects.toMatchObject({
    code: "ERR_STOPPED",
    message: `${output}: stopped before all 4 published shards were compared with their records; run the same command again`,
  });
});
