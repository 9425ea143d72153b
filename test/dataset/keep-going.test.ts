import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { outputsIn, wipOf } from "./outputs.js";

// Inputs that are bad are left out, the others are made.

const at = workDirectory();
const folder = at("logits");
const good = at("good");
for (const path of [folder, good]) mkdirSync(path);
for (const [k, name] of ["b.arrow", "d.arrow"].entries()) {
  const path = join(folder, name);
  writeLogits(path, {
    rows: 100,
    classes: 3,
    logit: (r, j) => Math.sin(r * 7 + j + k),
  });
  copyFileSync(path, join(good, name));
}
writeFileSync(join(folder, "a.arrow"), "ARROW1\0\0");
writeLogits(join(folder, "c.arrow"), {
  rows: 100,
  classes: 3,
  // In the last of its shards.
  logit: (r) => (r === 95 ? Number.NaN : r),
});
writeLogits(join(folder, "e.arrow"), { rows: 10, classes: 4, logit: () => 1 });

const ERRORS = [
  ["a.arrow", "a.arrow: footer: expected at least 18 bytes, found 8"],
  ["c.arrow", "c.arrow: row 95: expected finite logits"],
  [
    "e.arrow",
    "e.arrow: logits: expected 3 classes as in b.arrow, found 4; run files of other classes by themselves",
  ],
] as const;
const options = { inputs: [folder], shardRows: 30 };
const newOutput = outputsIn(at);

function expectLeftOut(found: { name: string; error: string }[]): void {
  expect(found.map(({ name }) => name)).toEqual(ERRORS.map(([name]) => name));
  for (const [k, [, error]] of ERRORS.entries())
    expect(found[k]?.error).toContain(error);
}

/** The rows of a dataset that was published without the bad inputs. */
async function expectPublished(output: string): Promise<void> {
  const manifest = JSON.parse(
    readFileSync(join(output, "_manifest.json"), "utf8"),
  );
  expectLeftOut(manifest.leftOut);
  const parts = readdirSync(output).filter((name) => name.endsWith(".arrow"));
  expect(parts).toEqual(manifest.parts.map((p: { part: string }) => p.part));
  const rows = (path: string) =>
    tableFromIPC(readFileSync(path))
      .toArray()
      .map((row) =>
        JSON.stringify(row, (_, v) => (typeof v === "bigint" ? Number(v) : v)),
      );
  const reference = newOutput();
  await built.runDataset({ inputs: [good], output: reference, shardRows: 30 });
  const expected = readdirSync(reference).filter((name) =>
    name.endsWith(".arrow"),
  );
  expect(parts.flatMap((name) => rows(join(output, name)))).toEqual(
    expected.flatMap((name) => rows(join(reference, name))),
  );
}

test("without --keep-going the first of them ends the run", async () => {
  await expect(
    built.runDataset({ ...options, output: newOutput() }),
  ).rejects.toMatchObject({ code: "ERR_INPUT_FORMAT" });
});

test("with it: 65, the others are done, nothing is published; --allow-missing publishes", async () => {
  const output = newOutput();
  const args = ["run", folder, "-o", `${output}/`, "--shard-rows", "30"];
  const found = softjac(...args, "--keep-going", "--json");
  expect(found.status, found.stderr).toBe(65);
  const report = JSON.parse(found.stdout);
  expect(report).toMatchObject({
    status: "failed",
    inputs: 3,
    shards: 12,
    // Three parts of c are made before its bad row is met.
    shardsComputed: 11,
    error: { code: "ERR_INPUTS_SKIPPED", exitCode: 65 },
  });
  expectLeftOut(report.skippedInputs);
  expect(found.stderr).toContain(
    "3 of 5 inputs have no results; use --allow-missing to publish the others: a.arrow: ",
  );
  expect(existsSync(output)).toBe(false);

  // The same again finds nothing to make, and says the same.
  const again = softjac(...args, "--keep-going", "--json");
  expect(again.status).toBe(65);
  expect(JSON.parse(again.stdout)).toMatchObject({ shardsComputed: 0 });

  const dry = softjac(...args, "--keep-going", "--dry-run");
  expect(dry.stdout).toContain("skipped");
  const status = await built.datasetStatus({ output });
  expectLeftOut(status.skippedInputs);
  expect(status.missing).toEqual([]);

  const published = softjac(...args, "--keep-going", "--allow-missing");
  expect(published.status, published.stderr).toBe(0);
  expect(published.stderr).toMatch(/skipped +3: a\.arrow, c\.arrow, e\.arrow/);
  await expectPublished(output);
  const done = softjac(...args, "--keep-going", "--json");
  expect(done.status).toBe(0);
  expect(JSON.parse(done.stdout).status).toBe("up to date");
  expectLeftOut(JSON.parse(done.stdout).skippedInputs);
});

test("in steps: tasks say 65 for what they met, finalize publishes where it may", async () => {
  const output = newOutput();
  await built.planDataset({ ...options, output, keepGoing: true });
  const task = (shardIndex: number) =>
    built.runShards({ output, shardIndex, shardCount: 2, keepGoing: true });
  // Shards of b, c and d: 0-3, 4-7, 8-11; that with the bad row is 7.
  expect(await task(0)).toMatchObject({ status: "done", shardsComputed: 6 });
  await expect(task(1)).rejects.toMatchObject({
    code: "ERR_INPUTS_SKIPPED",
    skippedInputs: [{ input: "c.arrow" }],
  });
  await expect(built.finalizeDataset({ output })).rejects.toMatchObject({
    code: "ERR_INPUTS_SKIPPED",
  });
  expect(existsSync(output)).toBe(false);
  await built.finalizeDataset({ output, allowMissing: true });
  await expectPublished(output);
});

test("a part of such an input that comes after the others were published goes with them", async () => {
  const output = newOutput();
  await built
    .runDataset({ ...options, output, keepGoing: true })
    .catch(() => {});
  const part = "part-00004-of-00012.arrow";
  const bytes = readFileSync(join(wipOf(output) as string, part));
  await built.finalizeDataset({ output, allowMissing: true });
  expect(existsSync(join(output, part))).toBe(false);
  writeFileSync(join(output, part), bytes);
  await built.runDataset({ ...options, output, keepGoing: true });
  await expectPublished(output);
});

test("an input that has changed is not left out: the plan is another", async () => {
  const output = newOutput();
  const inputs = at("changing");
  mkdirSync(inputs);
  for (const name of ["b.arrow", "d.arrow"])
    copyFileSync(join(folder, name), join(inputs, name));
  await built.planDataset({ inputs: [inputs], output });
  writeFileSync(join(inputs, "d.arrow"), "ARROW1\0\0");
  await expect(built.runShards({ output, keepGoing: true })).rejects.toThrow(
    "changed since the run was planned (bytes ",
  );
  expect((await built.datasetStatus({ output })).skippedInputs).toEqual([]);
});

test("all of them: the error of the last", async () => {
  const inputs = [join(folder, "a.arrow")];
  await expect(
    built.runDataset({ inputs, output: newOutput(), keepGoing: true }),
  ).rejects.toMatchObject({ code: "ERR_INPUT_FORMAT" });
});

test("--select: these parts alone; with --limit the first of them", async () => {
  const output = newOutput();
  await built.planDataset({ inputs: [good], output, shardRows: 10 });
  const task = (...args: string[]) =>
    softjac("run-shard", "-o", output, ...args);
  expect(task("--select", "3,7-9").status).toBe(0);
  const missing = async () => (await built.datasetStatus({ output })).missing;
  expect(await missing()).toEqual([
    0, 1, 2, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
  ]);
  expect(task("--select", "0-4", "--limit", "2").status).toBe(0);
  expect((await missing()).slice(0, 3)).toEqual([2, 4, 5]);
  const beyond = task("--select", "18-20");
  expect(beyond.status).toBe(64);
  expect(beyond.stderr).toContain(
    "select: expected shards from 0 to 19, found 20",
  );
  for (const wrong of ["x", "3-1", "1,,2", "-1"])
    expect(task(`--select=${wrong}`).stderr).toContain(
      `--select: expected numbers and ranges as in 3,7-9, found "${wrong}"`,
    );
  await built.runShards({ output });
  await built.finalizeDataset({ output });
  const whole = newOutput();
  await built.runDataset({ inputs: [good], output: whole, shardRows: 10 });
  expect(filesOf(output)).toEqual(filesOf(whole));
});
