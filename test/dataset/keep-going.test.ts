import fs from "node:fs";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { writeLogits } from "../support/logits-input.js";
import { refused } from "../support/refused.js";
import { expectStatus, readJson, wipOf, workOutputs } from "./support.js";

// Invalid inputs are skipped, the others computed.

const { at, newOutput } = workOutputs();
const [folder, good] = [at("logits"), at("good")];
for (const path of [folder, good]) fs.mkdirSync(path);
const size = { rows: 100, classes: 3 };
for (const [k, name] of ["b.arrow", "d.arrow"].entries()) {
  const logit = (r: number, j: number) => Math.sin(r * 7 + j + k);
  for (const path of [folder, good])
    writeLogits(join(path, name), { ...size, logit });
}
fs.writeFileSync(join(folder, "a.arrow"), "ARROW1\0\0");
// In the last of its shards.
const badRow = (r: number) => (r === 95 ? Number.NaN : r);
writeLogits(join(folder, "c.arrow"), { ...size, logit: badRow });
writeLogits(join(folder, "e.arrow"), { rows: 9, classes: 4, logit: () => 1 });

const SKIPPED = [
  ["a", /^a.arrow: footer: expected at least 18 bytes, found 8/],
  ["c", /^c.arrow: row 95: expected finite logits/],
  [
    "e",
    /^e.arrow: logits: expected 3 classes as in b.arrow, found 4; run files of other classes by themselves$/,
  ],
].map(([name, error]) => ({
  ...{ name: `${name}.arrow`, error: expect.stringMatching(error as RegExp) },
}));
const options = { inputs: [folder], shardRows: 30, keepGoing: true };
const arrowFiles = (folder: string) =>
  fs.readdirSync(folder).filter((name) => name.endsWith(".arrow"));
const rowsIn = (folder: string) =>
  arrowFiles(folder).flatMap((name) =>
    tableFromIPC(fs.readFileSync(join(folder, name)))
      .toArray()
      .map((row) => String(row)),
  );

/** Expects that a dataset was published without the invalid inputs. */
async function expectPublished(output: string): Promise<void> {
  const { leftOut, parts } = readJson(output, "_manifest.json");
  expect(leftOut).toEqual(SKIPPED);
  const names = parts.map(({ part }: { part: string }) => part);
  expect(arrowFiles(output)).toEqual(names);
  const valid = newOutput();
  await built.runDataset({ inputs: [good], output: valid, shardRows: 30 });
  expect(rowsIn(output)).toEqual(rowsIn(valid));
}

test("an invalid input ends the run, unless others are valid and keepGoing is set", async () => {
  const output = newOutput();
  const stops = built.runDataset({ ...options, output, keepGoing: false });
  await refused(stops, "ERR_INPUT_FORMAT");
  const inputs = [join(folder, "a.arrow")];
  const alone = built.runDataset({ ...options, inputs, output });
  await refused(alone, "ERR_INPUT_FORMAT");
});

test("--keep-going computes the others, --allow-missing publishes them", async () => {
  const output = newOutput();
  const run = (...more: string[]) => {
    const args = ["-o", `${output}/`, "--shard-rows", "30", "--keep-going"];
    return softjac("run", folder, ...args, ...more);
  };
  const found = expectStatus(run("--json"), 65);
  expect(JSON.parse(found.stdout)).toMatchObject({
    ...{ status: "failed", inputs: 3, shards: 12 },
    // Three shards of c precede the bad row.
    ...{ shardsComputed: 11, skippedInputs: SKIPPED },
    error: { code: "ERR_INPUTS_SKIPPED", exitCode: 65 },
  });
  expect(found.stderr).toContain(
    "3 of 5 inputs have no results; use --allow-missing to publish the others: a.arrow: ",
  );
  expect(fs.existsSync(output)).toBe(false);
  const again = JSON.parse(expectStatus(run("--json"), 65).stdout);
  // The four shards of c are neither done nor missing.
  expect(again).toMatchObject({ shardsComputed: 0, shardsUpToDate: 8 });
  expect(run("--dry-run").stdout).toMatch(
    /shards +12: 8 done, 0 to compute \(0 rows\)\n +skipped/,
  );
  const state = { skippedInputs: SKIPPED, missing: [], shardsDone: 8 };
  expect(await built.datasetStatus({ output })).toMatchObject(state);
  expect(softjac("status", output).stdout).toMatch(
    /shards +12: 8 done, 4 of skipped inputs\n/,
  );
  const { stderr } = expectStatus(run("--allow-missing"), 0);
  expect(stderr).toMatch(/shards +12: 0 computed now, 8 before\n/);
  expect(stderr).toMatch(/skipped +3: a\.arrow, c\.arrow, e\.arrow/);
  await expectPublished(output);
  const done = JSON.parse(expectStatus(run("--json"), 0).stdout);
  const upToDate = { status: "up to date", skippedInputs: SKIPPED };
  expect(done).toMatchObject(upToDate);
});

test("tasks report the inputs that they skip, and finalize publishes with allowMissing", async () => {
  const output = newOutput();
  await built.planDataset({ ...options, output });
  const task = (shardIndex: number) =>
    built.runShards({ output, shardIndex, shardCount: 2, keepGoing: true });
  // Shards of b, c and d are 0-3, 4-7 and 8-11; the bad row is in 7.
  expect(await task(0)).toMatchObject({ status: "done", shardsComputed: 6 });
  const c = { skippedInputs: [{ input: "c.arrow" }] };
  const message = new RegExp(`^${output}: 1 of 3 inputs has no results; .*`);
  await refused(task(1), "ERR_INPUTS_SKIPPED", message, c);
  const early = built.finalizeDataset({ output });
  await refused(early, "ERR_INPUTS_SKIPPED", /: 3 of 5 inputs have no results/);
  expect(fs.existsSync(output)).toBe(false);
  await built.finalizeDataset({ output, allowMissing: true });
  await expectPublished(output);
});

test("without any results nothing is published, also with allowMissing", async () => {
  const [input, output] = [at("bad row.arrow"), newOutput()];
  writeLogits(input, { ...size, logit: () => Number.NaN });
  const all = { ...options, inputs: [input], allowMissing: true };
  const message = new RegExp(
    `^${output}: no input has results, so there is nothing to publish: bad row.arrow: row 0: `,
  );
  const run = built.runDataset({ ...all, output });
  await refused(run, "ERR_INPUTS_SKIPPED", message);
  const end = built.finalizeDataset({ output, allowMissing: true });
  await refused(end, "ERR_INPUTS_SKIPPED", message);
  expect(fs.existsSync(output)).toBe(false);
});

test("the other shards of a skipped input are not computed", async () => {
  const [input, output] = [at("first.arrow"), newOutput()];
  const logit = (r: number) => (r === 0 ? Number.NaN : r);
  writeLogits(input, { ...size, logit });
  const events: string[] = [];
  const onEvent = ({ event }: { event: string }) => events.push(event);
  const inputs = [join(good, "b.arrow"), input];
  const stops = built.runDataset({ ...options, inputs, output }, { onEvent });
  await refused(stops, "ERR_INPUTS_SKIPPED");
  const count = (name: string) => events.filter((event) => event === name);
  expect(count("input skipped")).toHaveLength(1);
  // The other input has four shards.
  expect(count("shard completed")).toHaveLength(4);
});

test("a shard of a skipped input that is committed after the publication is removed", async () => {
  const output = newOutput();
  await refused(built.runDataset({ ...options, output }), "ERR_INPUTS_SKIPPED");
  const bytes = fs.readFileSync(
    join(wipOf(output), "part-00004-of-00012.arrow"),
  );
  await built.finalizeDataset({ output, allowMissing: true });
  const part = join(output, "part-00004-of-00012.arrow");
  expect(fs.existsSync(part)).toBe(false);
  fs.writeFileSync(part, bytes);
  await built.runDataset({ ...options, output });
  await expectPublished(output);
});

test("an input that changed after the plan is not skipped", async () => {
  const output = newOutput();
  const inputs = at("changing");
  fs.cpSync(good, inputs, { recursive: true });
  await built.planDataset({ inputs: [inputs], output });
  fs.writeFileSync(join(inputs, "d.arrow"), "ARROW1\0\0");
  await refused(
    built.runShards({ output, keepGoing: true }),
    "ERR_INPUT_CHANGED",
    /changed since the run was planned \(bytes /,
  );
  expect((await built.datasetStatus({ output })).skippedInputs).toEqual([]);
});
