import fs from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { processMark } from "../../src/io/temporary-names.js";
import { softjac, typed } from "../cli/support.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { refused } from "../support/refused.js";
import {
  expectStatus,
  keepingTime,
  killedAt,
  makeNewer,
  partOf,
  planByOtherVersion,
  workOutputs,
  writeFolder,
} from "./support.js";

// A dataset in steps: it is planned, computed by tasks, and published.

const { at, newOutput } = workOutputs();
const size = { rows: 1000, classes: 5 };
const folder = await writeFolder(at("logits"), ["a", "b"], size);
const options = {
  ...{ inputs: [folder], shardRows: 300, keep: ["id"] },
  layout: "packed" as const,
};
const whole = newOutput();
await built.runDataset({ ...options, output: whole });

/** Plans a run, and computes its first shards. */
async function planned(shards = 0) {
  const output = newOutput();
  const report = await built.planDataset({ ...options, output });
  if (shards > 0) await built.runShards({ output, limit: shards });
  const fp = report.fingerprint as string;
  const [wip, tmp] = [`${output}.__wip-${fp}`, `${output}.__tmp-${fp}`];
  const finalize = () => built.finalizeDataset({ output });
  const status = () => built.datasetStatus({ output });
  return { output, report, fp, wip, tmp, finalize, status };
}

test("plan, tasks in any order and finalize give the bytes of one call", async () => {
  const { output, report, finalize, status } = await planned();
  expect(report).toMatchObject({ status: "planned", shards: 8 });
  const missing = [0, 1, 2, 3, 4, 5, 6, 7];
  const shards = { status: "in progress", shards: 8, shardsDone: 0 };
  expect(await status()).toMatchObject({ ...shards, missing });
  for (const shardIndex of [2, 0]) {
    const made = await built.runShards({ output, shardIndex, shardCount: 3 });
    expect(made.shardsComputed).toBe(shardIndex === 2 ? 2 : 3);
  }
  await refused(
    finalize(),
    "ERR_INCOMPLETE",
    `${output}: 3 of 8 shards are missing (1, 4, 7); compute them with softjac run-shard`,
  );
  expect(fs.existsSync(output)).toBe(false);
  const limited = await built.runShards({ output, limit: 2, threads: 1 });
  expect(limited).toMatchObject({ shardsUpToDate: 5, shardsComputed: 2 });
  expect((await status()).missing).toEqual([7]);
  const last = await built.runShards({ output });
  expect(last).toMatchObject({ shardsUpToDate: 7, shardsComputed: 1 });
  expect((await finalize()).status).toBe("done");
  expect(filesOf(output)).toEqual(filesOf(whole));
  for (const again of [
    finalize,
    () => built.runShards({ output }),
    () => built.planDataset({ ...options, output }),
    () => built.runDataset({ ...options, output }),
  ])
    expect((await again()).status).toBe("up to date");
  const published = { status: "published", shardsDone: 8 };
  expect(await status()).toMatchObject({
    ...{ ...published, missing: [], damaged: [] },
  });
});

test("nothing is published with shards that were truncated, changed, replaced by a link or lost; they are computed again", async () => {
  const { output, wip, finalize, status } = await planned(8);
  const part = (k: number) => partOf(wip, k, 8);
  fs.truncateSync(part(1), 1000);
  fs.writeFileSync(part(2), fs.readFileSync(part(2)).fill(7));
  makeNewer(part(2));
  const target = newOutput();
  fs.renameSync(part(3), target);
  fs.symlinkSync(target, part(3));
  keepingTime(part(4), () => fs.truncateSync(part(4), 1000));
  fs.rmSync(part(5));
  const damaged = [1, 2, 3, 4, 5];
  const found = { shardsDone: 3, missing: [], damaged };
  expect(await status()).toMatchObject(found);
  await refused(finalize(), "ERR_INCOMPLETE", /./, { missing: damaged });
  expect(fs.existsSync(output)).toBe(false);
  expect((await built.runShards({ output })).shardsComputed).toBe(5);
  await finalize();
  expect(filesOf(output)).toEqual(filesOf(whole));
});

test("several runs for one output need --run; status prefers the published one", async () => {
  const output = newOutput();
  const plan = async (temperature: number) => {
    const run = { ...options, temperature, output };
    return (await built.planDataset(run)).fingerprint as string;
  };
  const runs = [await plan(1), await plan(2), await plan(3)];
  const [run = "", ...others] = runs;
  runs.sort();
  const listed = `run: several runs are planned for ${output}; name one: `;
  for (const call of [built.datasetStatus, built.runShards])
    await refused(call({ output }), "ERR_USAGE", listed + runs.join(", "));
  await built.runShards({ output, run });
  await built.finalizeDataset({ output, run });
  others.sort();
  expect(await built.datasetStatus({ output })).toMatchObject({
    ...{ fingerprint: run, status: "published", unfinished: others },
  });
  expect(typed`status ${output}`.stdout).toContain(
    `unfinished  ${others.join(", ")} (other runs; softjac gc removes abandoned ones)\n`,
  );
  for (const call of [built.runShards, built.finalizeDataset])
    await refused(
      call({ output }),
      "ERR_USAGE",
      `${listed}${run} (published), ${others.join(", ")}`,
    );
  const again = await built.finalizeDataset({ output, run });
  expect(again.status).toBe("up to date");
  const [other] = others;
  expect(await built.datasetStatus({ output, run: other })).toMatchObject({
    ...{ fingerprint: other, status: "in progress", unfinished: [others[1]] },
  });
  await built.removeStaleRuns({ output, olderThan: 0 });
  expect((await built.datasetStatus({ output })).unfinished).toEqual([]);
});

test("an output without a plan, and tasks that do not exist", async () => {
  const output = newOutput();
  const { runShards, finalizeDataset, datasetStatus } = built;
  for (const call of [runShards, finalizeDataset, datasetStatus])
    await refused(call({ output }), "ERR_PLAN_MISSING");
  const { output: made } = await planned();
  const task = { output: made, shardIndex: 3 };
  await refused(
    built.runShards({ ...task, shardCount: 3 }),
    "ERR_USAGE",
    "shardIndex: expected a number from 0 to 2, because there are 3 tasks, found 3",
  );
  await refused(
    built.runShards(task),
    "ERR_USAGE",
    "shardIndex, shardCount: give both or none",
  );
});

test("gc removes old directories of runs; others stay, and links are not followed", async () => {
  const output = newOutput();
  await built.runDataset({ ...options, output });
  const fp = "0123456789abcdef";
  const old = `${output}.__wip-${fp}`;
  const young = `${output}.__tmp-${fp}`;
  const others = [`${output}.__wip-mine`, `${output}-other.__wip-${fp}`];
  for (const path of [old, young, ...others]) {
    fs.mkdirSync(path);
    fs.writeFileSync(join(path, "part"), "x");
    // Three days and a minute less or more.
    const minutes = 72 * 60 + (path === young ? -1 : 1);
    const date = new Date(Date.now() - minutes * 60_000);
    for (const file of [join(path, "part"), path])
      fs.utimesSync(file, date, date);
  }
  fs.mkdirSync(at("target"));
  fs.symlinkSync(at("target"), `${output}.__old-${fp}`);
  const found = { output, removed: [old], kept: [young], shards: {} };
  for (const dryRun of [true, false]) {
    expect(fs.existsSync(old)).toBe(true);
    const report = await built.removeStaleRuns({ output, dryRun });
    expect(report).toEqual({ ...found, dryRun });
  }
  expect(fs.existsSync(old)).toBe(false);
  for (const path of [young, ...others, `${output}.__old-${fp}`, output])
    expect(fs.existsSync(path), path).toBe(true);
});

test.each(["wip", "wip/_commits", "tmp"])(
  "nothing is written through a link in place of the directory %s",
  async (name) => {
    const { output, fp, finalize } = await planned(7);
    const [kind, inner = ""] = name.split("/");
    const link = join(`${output}.__${kind}-${fp}`, inner).replace(/\/$/, "");
    const target = newOutput();
    fs.renameSync(link, target);
    fs.symlinkSync(target, link);
    const before = filesOf(target);
    const message = `${link} is a link, device or pipe, but the run needs a directory of that name; remove it`;
    for (const call of [
      () => built.runShards({ output }),
      finalize,
      () => built.runDataset({ ...options, output }),
    ])
      await refused(call(), "ERR_OUTPUT_EXISTS", message);
    expectStatus(typed`run-shard -o ${output}`, 73);
    expect(fs.existsSync(output)).toBe(false);
    expect(filesOf(target)).toEqual(before);
  },
);

test("a run that another version planned is neither computed nor published", async () => {
  const { output, report, fp, wip, finalize, status } = await planned();
  const other = planByOtherVersion(wip);
  for (const name of [`${output}.__wip-`, `${output}.__tmp-`])
    fs.renameSync(name + fp, name + other);
  const message = `${output}: run ${other} was planned by softjac 0.0.9, but this is softjac ${report.softjac}; use softjac 0.0.9 for all its steps, or plan it again`;
  for (const call of [() => built.runShards({ output }), finalize])
    await refused(call(), "ERR_CONFIGURATION", message);
  expectStatus(typed`run-shard -o ${output}`, 78);
  expectStatus(typed`finalize ${output}`, 78);
  expect(fs.existsSync(output)).toBe(false);
  const state = { status: "in progress", shardsDone: 0 };
  expect(await status()).toMatchObject(state);
});

test("gc says what it would remove, and how many computed shards it contains", async () => {
  const { output, wip, tmp } = await planned(3);
  const gc = (...args: string[]) => softjac("gc", output, ...args).stdout;
  const removed = (word: string) =>
    `${word}  ${tmp}\n${word}  ${wip} (3 computed shards)\n`;
  const why = "changed too recently, or in use\n";
  expect(gc()).toBe(
    `kept     ${tmp}: ${why}kept     ${wip} (3 computed shards): ${why}`,
  );
  const old = ["--older-than", "0"];
  expect(gc(...old, "--dry-run")).toBe(removed("would remove"));
  expect(JSON.parse(gc(...old, "--dry-run", "--json"))).toMatchObject({
    ...{ dryRun: true, shards: { [wip]: 3 } },
  });
  expect(fs.existsSync(wip)).toBe(true);
  // A process of this machine works on the run: nothing of it is removed, however old.
  const inUse = join(tmp, `host-${processMark()}-0123456789ab`);
  fs.writeFileSync(inUse, "x");
  expect(gc(...old)).toMatch(/^kept .*\nkept /);
  fs.rmSync(inUse);
  expect(gc(...old)).toBe(removed("removed"));
  expect(fs.existsSync(wip)).toBe(false);
});

test("temporary files of killed processes are removed", async () => {
  const { output, tmp } = await planned();
  const args = ["run-shard", "-o", output];
  // Its process may run on another machine.
  const foreign = join(tmp, "host-01234567-1-2-3-0123456789ab");
  fs.writeFileSync(foreign, "x");
  let killed = 0;
  for (let n = 1; killed < 4; n += 2) {
    expect((await killedAt(args, n, "before")).code).toBe("SIGKILL");
    const left = fs.readdirSync(tmp).length - 1;
    expect(left).toBeLessThanOrEqual(1);
    killed += left;
  }
  expect((await killedAt(args, 1, "before")).code).toBe("SIGKILL");
  const { removed } = await built.removeStaleRuns({ output });
  expect(removed.filter((path) => !path.startsWith(tmp))).toEqual([]);
  expect(fs.readdirSync(tmp)).toEqual([basename(foreign)]);
  await built.runShards({ output });
  expect(fs.readdirSync(tmp)).toEqual([basename(foreign)]);
});

test("a published dataset with a damaged _SUCCESS is an error, and no unfinished run", async () => {
  const { output, fp, finalize, status } = await planned(8);
  await finalize();
  const path = join(output, "_SUCCESS");
  const text = fs.readFileSync(path, "utf8");
  for (const damaged of ["", text.slice(1), text.replace(fp, "0".repeat(16))]) {
    fs.writeFileSync(path, damaged);
    for (const call of [() => built.runShards({ output }), finalize, status])
      await refused(
        call(),
        "ERR_INPUT_FORMAT",
        `${output}: _SUCCESS: it does not have the fingerprint of _plan.json, so one of them is damaged; copy the dataset again, or compute it into another output`,
      );
  }
  fs.writeFileSync(path, text);
  expect(await finalize()).toMatchObject({ status: "up to date" });
});

test("modified plans, records and manifests are errors", async () => {
  const { output, wip, fp, finalize } = await planned(8);
  const expectInvalid = async (
    name: string,
    change: (text: string) => string,
    message: string | RegExp,
  ) => {
    const path = join(wip, name);
    const text = fs.existsSync(path) ? fs.readFileSync(path, "utf8") : null;
    fs.writeFileSync(path, change(text ?? ""));
    await refused(finalize(), "ERR_INTERNAL", message);
    if (text === null) fs.rmSync(path);
    else fs.writeFileSync(path, text);
  };
  await expectInvalid(
    "_plan.json",
    (text) => text.replace('"temperature": 1', '"temperature": 2'),
    `${wip}/_plan.json is not a valid plan`,
  );
  const record = "_commits/00001.json";
  for (const change of [
    () => fs.readFileSync(join(wip, "_commits/00002.json"), "utf8"),
    (text: string) => text.replace(fp, "0123456789abcdef"),
  ])
    await expectInvalid(
      record,
      change,
      `${wip}/${record} is not the record of shard 1 of run ${fp}`,
    );
  await expectInvalid(
    "_manifest.json",
    () => "{}\n",
    /_manifest.json: two processes wrote different bytes \(SHA-256 [0-9a-f]{64} and [0-9a-f]{64}\)$/,
  );
  expect(fs.existsSync(output)).toBe(false);
});

test("the commands and their exit codes", () => {
  const output = newOutput();
  expectStatus(typed`status ${output}`, 66);
  const plan = typed`plan ${folder} -o ${output} --shard-rows 300 --keep id --layout packed`;
  expect(plan.stderr).toContain("planned, 8 shards");
  expectStatus(typed`run-shard -o ${output} --limit 3`, 0);
  const early = expectStatus(typed`finalize ${output}`, 75);
  expect(early.stderr).toContain("5 of 8 shards are missing (3-7)");
  const { stdout } = typed`status ${output}`;
  expect(stdout).toMatch(/shards +8: 3 done\n +missing +shards 3-7/);
  expectStatus(typed`run-shard -o ${output} --quiet`, 0);
  expectStatus(typed`finalize ${output}`, 0);
  expect(typed`finalize ${output}`.stderr).toContain("up to date");
  expect(typed`gc ${output}`.stdout).toBe("no stale runs\n");
  expectStatus(typed`run-shard ${output}`, 64);
  expect(filesOf(output)).toEqual(filesOf(whole));
});
