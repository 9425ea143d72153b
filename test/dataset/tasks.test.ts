import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { fingerprintOf } from "../../src/dataset/dataset-plan.js";
import { processMark } from "../../src/io/temporary-names.js";
import { CLI, softjac } from "../cli/support.js";
import { start } from "../queue/processes.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";
import { outputsIn, wipOf, writeFolder } from "./outputs.js";

// A dataset in steps: planned, made by tasks, published.

const at = workDirectory();
const newOutput = outputsIn(at);
const folder = await writeFolder(at("logits"), ["a", "b"], {
  rows: 1000,
  classes: 5,
});
const options = {
  inputs: [folder],
  shardRows: 300,
  keep: ["id"],
  layout: "packed" as const,
};
const whole = newOutput();
await built.runDataset({ ...options, output: whole });

test("plan, tasks in any order, finalize: the bytes of one call", async () => {
  const output = newOutput();
  const planned = await built.planDataset({ ...options, output });
  expect(planned).toMatchObject({ status: "planned", shards: 8 });
  expect(await built.datasetStatus({ output })).toMatchObject({
    status: "in progress",
    shards: 8,
    shardsDone: 0,
    missing: [0, 1, 2, 3, 4, 5, 6, 7],
  });
  for (const shardIndex of [2, 0]) {
    const made = await built.runShards({ output, shardIndex, shardCount: 3 });
    expect(made.shardsComputed).toBe(shardIndex === 2 ? 2 : 3);
  }
  await expect(built.finalizeDataset({ output })).rejects.toMatchObject({
    code: "ERR_INCOMPLETE",
    message: `${output}: 3 of 8 shards are missing (1, 4, 7); compute them with softjac run-shard`,
  });
  expect(existsSync(output)).toBe(false);
  const limited = await built.runShards({ output, limit: 2, threads: 1 });
  expect(limited).toMatchObject({ shardsUpToDate: 5, shardsComputed: 2 });
  const last = await built.runShards({ output });
  expect(last).toMatchObject({ shardsUpToDate: 7, shardsComputed: 1 });
  expect((await built.finalizeDataset({ output })).status).toBe("done");
  expect(filesOf(output)).toEqual(filesOf(whole));
  for (const again of [
    () => built.finalizeDataset({ output }),
    () => built.runShards({ output }),
    () => built.planDataset({ ...options, output }),
    () => built.runDataset({ ...options, output }),
  ])
    expect((await again()).status).toBe("up to date");
  expect(await built.datasetStatus({ output })).toMatchObject({
    status: "published",
    shardsDone: 8,
    missing: [],
    damaged: [],
  });
});

test("the same task twice at once, and finalize twice at once", async () => {
  const output = newOutput();
  await built.planDataset({ ...options, output });
  const run = (...args: string[]) => start([...args, "--quiet"]).ended;
  const twice = (...args: string[]) =>
    Promise.all([run(...args), run(...args)]);
  for (const index of ["0", "1"])
    for (const { code, stderr } of await twice(
      "run-shard",
      "-o",
      output,
      "--shard-index",
      index,
      "--shard-count",
      "2",
    ))
      expect(code, stderr).toBe(0);
  for (const { code, stderr } of await twice("finalize", output))
    expect(code, stderr).toBe(0);
  expect(filesOf(output)).toEqual(filesOf(whole));
});

test("finalize with a part that is cut, replaced or lost: nothing is published", async () => {
  const output = newOutput();
  await built.planDataset({ ...options, output });
  await built.runShards({ output });
  const part = (k: number) =>
    join(wipOf(output) as string, `part-0000${k}-of-00008.arrow`);
  writeFileSync(part(1), readFileSync(part(1)).subarray(0, 1000));
  const other = readFileSync(part(2));
  rmSync(part(2));
  writeFileSync(part(2), other.fill(7));
  const later = new Date(Date.now() + 60_000);
  utimesSync(part(2), later, later);
  rmSync(part(5));
  expect(await built.datasetStatus({ output })).toMatchObject({
    shardsDone: 5,
    missing: [],
    damaged: [1, 2, 5],
  });
  await expect(built.finalizeDataset({ output })).rejects.toMatchObject({
    code: "ERR_INCOMPLETE",
    missing: [1, 2, 5],
  });
  expect(existsSync(output)).toBe(false);
  await built.runShards({ output });
  await built.finalizeDataset({ output });
  expect(filesOf(output)).toEqual(filesOf(whole));
});

test("an input that has changed since it was planned is refused", async () => {
  const copy = at("changing");
  mkdirSync(copy);
  const input = join(copy, "a.arrow");
  writeFileSync(input, readFileSync(join(folder, "a.arrow")));
  const output = newOutput();
  await built.planDataset({ ...options, inputs: [copy], output });
  const later = new Date(Date.now() + 5000);
  utimesSync(input, later, later);
  await expect(built.runShards({ output })).rejects.toMatchObject({
    code: "ERR_INPUT_CHANGED",
    message: expect.stringContaining(
      "changed since the run was planned (modified ",
    ),
  });
});

test("two runs for one output: which is asked for", async () => {
  const output = newOutput();
  const one = await built.planDataset({ ...options, output });
  const two = await built.planDataset({ ...options, temperature: 2, output });
  await expect(built.runShards({ output })).rejects.toMatchObject({
    code: "ERR_USAGE",
    message: expect.stringContaining(one.fingerprint as string),
  });
  const run = two.fingerprint as string;
  await built.runShards({ output, run });
  await built.finalizeDataset({ output, run });
  expect((await built.datasetStatus({ output, run })).status).toBe("published");
});

test("a published dataset with other runs beside it", async () => {
  const output = newOutput();
  const planned = async (temperature: number) =>
    (await built.planDataset({ ...options, temperature, output }))
      .fingerprint as string;
  const runs = [await planned(1), await planned(2), await planned(3)];
  const [run = "", ...others] = runs;
  const listed = `several runs are planned for ${output}; name one: `;
  await expect(built.datasetStatus({ output })).rejects.toThrow(
    `${listed}${runs.sort().join(", ")}`,
  );
  await built.runShards({ output, run });
  await built.finalizeDataset({ output, run });
  others.sort();
  expect(await built.datasetStatus({ output })).toMatchObject({
    fingerprint: run,
    status: "published",
    unfinished: others,
  });
  expect(softjac("status", output).stdout).toContain(
    `unfinished  ${others.join(", ")} (other runs; softjac gc removes abandoned ones)\n`,
  );
  for (const call of [built.runShards, built.finalizeDataset])
    await expect(call({ output })).rejects.toMatchObject({
      code: "ERR_USAGE",
      message: `run: ${listed}${run} (published), ${others.join(", ")}`,
    });
  expect((await built.finalizeDataset({ output, run })).status).toBe(
    "up to date",
  );
  const [other] = others;
  expect(await built.datasetStatus({ output, run: other })).toMatchObject({
    fingerprint: other,
    status: "in progress",
    unfinished: [others[1]],
  });
  await built.removeStaleRuns({ output, olderThan: 0 });
  expect((await built.datasetStatus({ output })).unfinished).toEqual([]);
});

test("no plan, and tasks that are none", async () => {
  const output = newOutput();
  for (const call of [
    () => built.runShards({ output }),
    () => built.finalizeDataset({ output }),
    () => built.datasetStatus({ output }),
  ])
    await expect(call()).rejects.toMatchObject({ code: "ERR_PLAN_MISSING" });
  await built.planDataset({ ...options, output });
  await expect(
    built.runShards({ output, shardIndex: 3, shardCount: 3 }),
  ).rejects.toThrow(
    "shardIndex: expected a number below shardCount (3), found 3",
  );
  await expect(built.runShards({ output, shardIndex: 3 })).rejects.toThrow(
    "shardIndex, shardCount: give both or none",
  );
});

test("stale runs: old folders of ours go, others stay, links are not followed", async () => {
  const output = newOutput();
  await built.runDataset({ ...options, output });
  // Three days and a minute less or more.
  const ago = (minutes: number) =>
    new Date(Date.now() - 72 * 3600_000 - minutes * 60_000);
  const old = ago(1);
  const beside = (name: string) => `${output}${name}`;
  const fp = "0123456789abcdef";
  const make = (name: string, date: Date) => {
    mkdirSync(beside(name));
    writeFileSync(join(beside(name), "part"), "x");
    utimesSync(join(beside(name), "part"), date, date);
    utimesSync(beside(name), date, date);
  };
  make(`.__wip-${fp}`, old);
  make(`.__tmp-${fp}`, ago(-1));
  make(".__wip-mine", old);
  make(`-other.__wip-${fp}`, old);
  const target = at("target");
  mkdirSync(target);
  symlinkSync(target, beside(`.__old-${fp}`));
  const dry = await built.removeStaleRuns({ output, dryRun: true });
  expect(dry).toMatchObject({
    dryRun: true,
    removed: [beside(`.__wip-${fp}`)],
  });
  expect(existsSync(beside(`.__wip-${fp}`))).toBe(true);
  const found = await built.removeStaleRuns({ output });
  expect(found).toEqual({
    output,
    dryRun: false,
    removed: [beside(`.__wip-${fp}`)],
    kept: [beside(`.__tmp-${fp}`)],
    shards: {},
  });
  for (const name of [`.__tmp-${fp}`, ".__wip-mine", `.__old-${fp}`, ""])
    expect(existsSync(beside(name)), name).toBe(true);
  expect(existsSync(beside(`-other.__wip-${fp}`))).toBe(true);
});

test.each(["", "/_commits"])(
  "a link in the place of the run's folder%s: nothing is written through it, and it is not published",
  async (inner) => {
    const output = newOutput();
    const { fingerprint } = await built.planDataset({ ...options, output });
    await built.runShards({ output, limit: 7 });
    const link = `${output}.__wip-${fingerprint}${inner}`;
    const target = newOutput();
    renameSync(link, target);
    symlinkSync(target, link);
    const before = filesOf(target);
    const message = `${link} is a link, device or pipe, but the run needs a directory of that name; remove it`;
    const refused = { code: "ERR_OUTPUT_EXISTS", message };
    await expect(built.runShards({ output })).rejects.toMatchObject(refused);
    await expect(built.finalizeDataset({ output })).rejects.toMatchObject(
      refused,
    );
    await expect(
      built.runDataset({ ...options, output }),
    ).rejects.toMatchObject(refused);
    expect(softjac("run-shard", "-o", output).status).toBe(73);
    expect(existsSync(output)).toBe(false);
    expect(filesOf(target)).toEqual(before);
  },
);

test("a link in the place of the folder for temporary files is refused", async () => {
  const output = newOutput();
  const { fingerprint } = await built.planDataset({ ...options, output });
  const link = `${output}.__tmp-${fingerprint}`;
  rmSync(link, { recursive: true });
  const target = newOutput();
  mkdirSync(target);
  symlinkSync(target, link);
  await expect(built.runShards({ output })).rejects.toMatchObject({
    code: "ERR_OUTPUT_EXISTS",
    message: expect.stringContaining(link),
  });
  expect(readdirSync(target)).toEqual([]);
});

test("a part that is a link is not published", async () => {
  const output = newOutput();
  const { fingerprint } = await built.planDataset({ ...options, output });
  await built.runShards({ output });
  const part = `${output}.__wip-${fingerprint}/part-00002-of-00008.arrow`;
  const target = newOutput();
  renameSync(part, target);
  symlinkSync(target, part);
  await expect(built.finalizeDataset({ output })).rejects.toMatchObject({
    code: "ERR_INCOMPLETE",
    missing: [2],
  });
  await built.runDataset({ ...options, output });
  expect(filesOf(output)).toEqual(filesOf(whole));
});

/** The same plan as another version would have made it. */
function planOfOther(output: string, fingerprint: string): string {
  const path = `${output}.__wip-${fingerprint}/_plan.json`;
  const plan = JSON.parse(readFileSync(path, "utf8"));
  plan.of.softjac = "0.0.9";
  plan.fingerprint = fingerprintOf(plan.of);
  writeFileSync(path, JSON.stringify(plan));
  for (const name of ["wip", "tmp"])
    renameSync(
      `${output}.__${name}-${fingerprint}`,
      `${output}.__${name}-${plan.fingerprint}`,
    );
  return plan.fingerprint;
}

test("a run that another version has planned is neither made nor published", async () => {
  const output = newOutput();
  const planned = await built.planDataset({ ...options, output });
  const run = planOfOther(output, planned.fingerprint as string);
  const { softjac: version } = planned;
  const refused = {
    code: "ERR_CONFIGURATION",
    message: `${output}: run ${run} was planned by softjac 0.0.9, but this is softjac ${version}; use softjac 0.0.9 for all its steps, or plan it again`,
  };
  await expect(built.runShards({ output })).rejects.toMatchObject(refused);
  await expect(built.finalizeDataset({ output })).rejects.toMatchObject(
    refused,
  );
  for (const command of [["run-shard", "-o"], ["finalize"]])
    expect(softjac(...command, output).status).toBe(78);
  expect(existsSync(output)).toBe(false);
  expect(await built.datasetStatus({ output })).toMatchObject({
    status: "in progress",
    shardsDone: 0,
  });
});

test("a plan whose content is not what its fingerprint is of is refused", async () => {
  const output = newOutput();
  const { fingerprint } = await built.planDataset({ ...options, output });
  const path = `${output}.__wip-${fingerprint}/_plan.json`;
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace('"temperature": 1', '"temperature": 2'));
  await expect(built.runShards({ output })).rejects.toMatchObject({
    code: "ERR_INTERNAL",
    message: `${path} is not a valid plan`,
  });
});

test("gc says what it would remove, and how many computed shards go with it", async () => {
  const output = newOutput();
  const { fingerprint } = await built.planDataset({ ...options, output });
  await built.runShards({ output, limit: 3 });
  const [wip, tmp] = ["wip", "tmp"].map(
    (name) => `${output}.__${name}-${fingerprint}`,
  ) as [string, string];
  const gc = (...args: string[]) => softjac("gc", output, ...args).stdout;
  expect(gc()).toBe(
    `kept     ${tmp}: changed too recently, or in use\nkept     ${wip} (3 computed shards): changed too recently, or in use\n`,
  );
  expect(gc("--older-than", "0", "--dry-run")).toBe(
    `would remove  ${tmp}\nwould remove  ${wip} (3 computed shards)\n`,
  );
  const json = JSON.parse(gc("--older-than", "0", "--dry-run", "--json"));
  expect(json).toMatchObject({ dryRun: true, shards: { [wip]: 3 } });
  expect(existsSync(wip)).toBe(true);
  // A process of this machine is at work: nothing of its run goes, however old.
  const inUse = join(tmp, `host-${processMark()}-0123456789ab`);
  writeFileSync(inUse, "x");
  expect(gc("--older-than", "0")).toMatch(/^kept .*\nkept /);
  rmSync(inUse);
  expect(gc("--older-than", "0")).toBe(
    `removed  ${tmp}\nremoved  ${wip} (3 computed shards)\n`,
  );
  expect(existsSync(wip)).toBe(false);
});

test("temporary files of processes that were killed do not pile up", async () => {
  const output = newOutput();
  const { fingerprint } = await built.planDataset({ ...options, output });
  const tmp = `${output}.__tmp-${fingerprint}`;
  const preload = fileURLToPath(new URL("kill-at.mjs", import.meta.url));
  const killedAt = (call: number) =>
    spawnSync(
      process.execPath,
      [...["--import", preload, CLI], ...["run-shard", "-o", output]],
      { env: { ...process.env, KILL_AT: `${call}`, KILL_WHEN: "before" } },
    );
  // One that is found by its own name: it may be of another machine.
  const foreign = join(tmp, "host-01234567-1-2-3-0123456789ab");
  writeFileSync(foreign, "x");
  let killed = 0;
  for (let call = 1; killed < 4; call += 2) {
    expect(killedAt(call).signal).toBe("SIGKILL");
    const left = readdirSync(tmp).length - 1;
    expect(left).toBeLessThanOrEqual(1);
    killed += left;
  }
  expect(killedAt(1).signal).toBe("SIGKILL");
  const gc = await built.removeStaleRuns({ output });
  expect(gc.removed.every((path) => path.startsWith(tmp))).toBe(true);
  expect(readdirSync(tmp)).toEqual([basename(foreign)]);
  await built.runShards({ output });
  expect(readdirSync(tmp)).toEqual([basename(foreign)]);
});

test("a record of another shard, or of another run, is an error", async () => {
  const output = newOutput();
  const { fingerprint } = await built.planDataset({ ...options, output });
  await built.runShards({ output });
  const record = (k: number) =>
    `${output}.__wip-${fingerprint}/_commits/0000${k}.json`;
  const text = readFileSync(record(1), "utf8");
  for (const other of [
    readFileSync(record(2), "utf8"),
    text.replace(fingerprint as string, "0123456789abcdef"),
  ]) {
    writeFileSync(record(1), other);
    await expect(built.finalizeDataset({ output })).rejects.toMatchObject({
      code: "ERR_INTERNAL",
      message: `${record(1)} is not the record of shard 1 of run ${fingerprint}`,
    });
  }
});

test("a part of another size than its record, with its old time, is made again", async () => {
  const output = newOutput();
  const { fingerprint } = await built.planDataset({ ...options, output });
  await built.runShards({ output });
  const part = `${output}.__wip-${fingerprint}/part-00004-of-00008.arrow`;
  const { atime, mtime } = statSync(part);
  truncateSync(part, 1000);
  utimesSync(part, atime, mtime);
  await expect(built.finalizeDataset({ output })).rejects.toMatchObject({
    code: "ERR_INCOMPLETE",
    missing: [4],
  });
  expect((await built.runShards({ output })).shardsComputed).toBe(1);
  await built.finalizeDataset({ output });
  expect(filesOf(output)).toEqual(filesOf(whole));
});

test("a manifest with other bytes than this process would write is an error", async () => {
  const output = newOutput();
  const { fingerprint } = await built.planDataset({ ...options, output });
  await built.runShards({ output });
  const manifest = `${output}.__wip-${fingerprint}/_manifest.json`;
  writeFileSync(manifest, "{}\n");
  await expect(built.finalizeDataset({ output })).rejects.toMatchObject({
    code: "ERR_INTERNAL",
    message: expect.stringContaining(
      `${manifest}: two processes wrote different bytes`,
    ),
  });
  expect(existsSync(output)).toBe(false);
});

test("stopped before it is planned: 75, as later", async () => {
  const signal = AbortSignal.abort();
  await expect(
    built.runDataset({ ...options, output: newOutput() }, { signal }),
  ).rejects.toMatchObject({
    code: "ERR_STOPPED",
    message:
      "stopped before the plan was made or read; run the same command again",
  });
});

test("the commands, and their exit codes", () => {
  const output = newOutput();
  const plan = ["plan", folder, "-o", output, "--shard-rows", "300"];
  const more = ["--keep", "id", "--layout", "packed"];
  expect(softjac("status", output).status).toBe(66);
  expect(softjac(...plan, ...more).stderr).toContain("planned, 8 shards");
  expect(softjac("run-shard", "-o", output, "--limit", "3").status).toBe(0);
  const early = softjac("finalize", output);
  expect(early.status).toBe(75);
  expect(early.stderr).toContain("5 of 8 shards are missing (3-7)");
  const status = softjac("status", output);
  expect(status.stdout).toMatch(/shards +8: 3 done\n +missing +3-7/);
  expect(softjac("run-shard", "-o", output, "--quiet").status).toBe(0);
  expect(softjac("finalize", output).status).toBe(0);
  expect(softjac("finalize", output).stderr).toContain("up to date");
  expect(softjac("gc", output).stdout).toBe("no stale runs\n");
  expect(softjac("run-shard", output).status).toBe(64);
  expect(filesOf(output)).toEqual(filesOf(whole));
});
