import fs from "node:fs";
import { join } from "node:path";
import { float64, int32 } from "@uwdata/flechette";
import { afterAll, afterEach, expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { endAll } from "../queue/processes.js";
import { endRedis, test as queueTest, startRedis } from "../queue/redis.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { rows } from "../support/input-runs.js";
import { refused } from "../support/refused.js";
import { outputOf, VERIFIED, verifyAll } from "../support/runs.js";
import { at3, s3World } from "../support/s3/s3-world.js";
import { writeMatrix } from "../support/sums-files.js";
import {
  expectWhole,
  flip,
  killedAt,
  leftOf,
  partOf,
  readJson,
  workOutputs,
} from "./support.js";

// Datasets whose logits are features × coefficients: the run has copies of the coefficients and of their covariance.

const { at, newOutput, copyOf } = workOutputs();
const ROWS = { a: 500, b: 300 };
const folder = at("in");
fs.mkdirSync(folder);
const numbers = (rows: number, k: number) =>
  Array.from({ length: rows }, (_, r) => Math.sin(r * 7 + k) * 3);
for (const [seed, [name, length]] of Object.entries(ROWS).entries())
  writeArrow(join(folder, `${name}.arrow`), {
    age: [numbers(length, seed), float64()],
    educ: [numbers(length, seed + 5), float64()],
    y: [numbers(length, seed).map((_, r) => r % 3), int32()],
  });
const B = rows("0.1 -0.2; 0.3 0.4; -0.5 0.6");
const V = Array.from({ length: 6 }, (_, i) =>
  Array.from({ length: 6 }, (_, j) => (i === j ? 0.02 : 0.001)),
);
const coefficients = writeMatrix(at("B.npy"), B);
const covarianceFile = writeMatrix(at("V.npy"), V);
const model = {
  ...{ features: "age,educ", intercept: true, base: 0 },
  ...{ coefficients, covarianceFile, keep: ["y"] },
  emit: ["softmax", "std_error", "jacobian"] as const,
};
const options = { ...model, inputs: [folder], shardRows: 200 };
const whole = at("whole");
await built.runDataset({ ...options, output: whole });
const COPIES = ["_coefficients.npy", "_covariance.npy"] as const;

/** Plans a run with copies of the model files, which are then removed; also with other options. */
async function plannedElsewhere(more: object = {}) {
  const elsewhere = at(`model-${newOutput().split("-").at(-1)}`);
  fs.mkdirSync(elsewhere);
  const [b, v] = ["B.npy", "V.npy"].map((name) => {
    fs.copyFileSync(at(name), join(elsewhere, name));
    return join(elsewhere, name);
  });
  const output = newOutput();
  const own = { coefficients: b, covarianceFile: v, output };
  await built.planDataset({ ...options, ...own, ...more });
  fs.rmSync(elsewhere, { recursive: true });
  const [wip = ""] = leftOf(output).filter((name) => name.includes("__wip"));
  return { output, wip: at(wip) };
}

test("the shards have the rows of runs of the single files", async () => {
  for (const [name, parts] of Object.entries({ a: [0, 1, 2], b: [3, 4] })) {
    const [input, output] = [join(folder, `${name}.arrow`), at("one.arrow")];
    await built.run({ ...model, input, output, force: true });
    const one = outputOf(output);
    const shards = parts.map((k) => outputOf(partOf(whole, k, 5)));
    for (const column of [...one.names])
      expect(shards.flatMap((shard) => shard.column(column))).toEqual(
        one.column(column),
      );
    const { metadata } = one;
    expect(shards[0]?.metadata).toMatchObject({
      ...metadata,
      "softjac.row_end": expect.any(String),
    });
    expect(metadata["softjac.coefficients"]).toBe("B.npy");
  }
});

test("the plan identifies the files by their hashes, and the run has their bytes", () => {
  const { options: stored, model: hashes } = readJson(whole, "_plan.json").of;
  expect(stored).toMatchObject({ coefficients: "B.npy", intercept: true });
  expect(JSON.stringify(readJson(whole, "_plan.json"))).not.toContain(
    at("B.npy"),
  );
  expect(Object.keys(hashes)).toEqual(["coefficients", "covarianceFile"]);
  const originals = [coefficients, covarianceFile];
  expect(COPIES.map((name) => fs.readFileSync(join(whole, name)))).toEqual(
    originals.map((path) => fs.readFileSync(path)),
  );
});

test("verify finds the files beside a shard", async () => {
  const input = join(folder, "a.arrow");
  expect(await verifyAll(partOf(whole, 1, 5), input)).toMatchObject(VERIFIED);
});

test("tasks compute without the original files", async () => {
  const { output } = await plannedElsewhere();
  await built.runShards({ output, limit: 2 });
  await built.runShards({ output });
  await built.finalizeDataset({ output });
  expectWhole(output, filesOf(whole));
});

test("a repair computes the same bytes, with the original files or without", async () => {
  for (const repair of [
    (output: string) => built.runShards({ output, repair: true }),
    (output: string) => built.runDataset({ ...options, output, repair: true }),
  ]) {
    const output = copyOf(whole);
    fs.rmSync(partOf(output, 3, 5));
    expect((await repair(output)).shardsComputed).toBe(1);
    expect(filesOf(output)).toEqual(filesOf(whole));
  }
});

test.each(COPIES)("a damaged or missing copy %s is refused", async (name) => {
  const { output, wip } = await plannedElsewhere({ keepGoing: true });
  flip(join(wip, name));
  const compute = () => built.runShards({ output, keepGoing: true });
  await expect(compute()).rejects.toThrow(
    /_(coefficients|covariance)\.npy: changed since the run was planned \(SHA-256 [0-9a-f]{64}, now [0-9a-f]{64}\): remove it and plan the run again$/,
  );
  fs.rmSync(join(wip, name));
  await refused(
    compute(),
    "ERR_INPUT_MISSING",
    `${join(wip, name)}: no such file; plan the run again`,
  );
});

test.each(COPIES)(
  "published: a damaged or missing copy %s is reported, and repaired by a run with the original",
  async (name) => {
    const output = copyOf(whole);
    const state = async () => (await built.datasetStatus({ output })).problems;
    expect(await state()).toEqual([]);
    for (const [damage, problem] of [
      [(path: string) => flip(path), "does not match its SHA-256 in the plan"],
      [(path: string) => fs.rmSync(path), "is missing"],
    ] as const) {
      damage(join(output, name));
      expect(await state()).toEqual([{ file: name, problem }]);
      const { stdout, status } = softjac("status", output);
      expect(stdout).toContain(`  damaged  ${name} ${problem}\n`);
      expect(status).toBe(65);
      const damaged = `${output}: 1 file of the published dataset of 5 shards is missing or damaged; use softjac run or run-shard with --repair to recompute them: ${name} ${problem}`;
      for (const check of [
        () => built.runDataset({ ...options, output }),
        () => built.finalizeDataset({ output }),
        () => built.runShards({ output, repair: true }),
      ])
        await refused(check(), "ERR_DATASET_DAMAGED", damaged);
      const repaired = built.runDataset({ ...options, output, repair: true });
      expect(await repaired).toMatchObject({ status: "done", damaged: [] });
      expect(filesOf(output)).toEqual(filesOf(whole));
    }
  },
);

test("a copy that is missing before the publication is in the status", async () => {
  const { output, wip } = await plannedElsewhere();
  fs.rmSync(join(wip, "_covariance.npy"));
  expect(await built.datasetStatus({ output })).toMatchObject({
    status: "in progress",
    problems: [{ file: "_covariance.npy", problem: "is missing" }],
  });
});

test("other coefficients are another run", async () => {
  const changed = fs.mkdtempSync(at("changed-"));
  const path = join(changed, "B.npy");
  writeMatrix(path, [...B.slice(0, 2), [-0.5, 0.7]]);
  const other = { ...options, coefficients: path };
  await refused(
    built.runDataset({ ...other, output: whole }),
    "ERR_OUTPUT_EXISTS",
    `${whole} already contains the dataset of another run; use --overwrite to replace it`,
  );
  const { fingerprint } = await built.dryRunDataset({
    ...{ ...other, output: at("elsewhere") },
  });
  expect(fingerprint).not.toBe(readJson(whole, "_plan.json").fingerprint);
});

test("the command resumes a run that was killed", async () => {
  const output = newOutput();
  const words = [
    ...["run", folder, "-o", output, "--features", "age,educ", "--intercept"],
    ...["--coefficients", coefficients, "--covariance-file", covarianceFile],
    ...["--emit", model.emit.join(","), "--keep", "y", "--shard-rows", "200"],
  ];
  // Kills before the plan, between the plan and the copies, after them, and between shards.
  let killed = 0;
  for (const n of [4, 8, 10, 12, 14, 40]) {
    const { code } = await killedAt(words, n, "after");
    if (code === "SIGKILL") killed++;
  }
  expect(killed).toBeGreaterThan(3);
  const { code, stderr } = await killedAt(words, 1e9, "after");
  expect(code, stderr).toBe(0);
  expectWhole(output, filesOf(whole));
});

test("inputs whose features have another order are refused", async () => {
  const wrong = at("wrong");
  fs.mkdirSync(wrong);
  const columns = { x_a: [[1, 2], float64()], x_b: [[3, 4], float64()] };
  writeArrow(join(wrong, "1.arrow"), columns as never);
  const { x_a, x_b } = columns;
  writeArrow(join(wrong, "2.arrow"), { x_b, x_a } as never);
  const output = newOutput();
  const own = { inputs: [wrong], output, features: "x_*", keep: [] };
  await refused(
    built.runDataset({ ...options, ...own }),
    "ERR_INPUT_UNSUPPORTED",
    `${join(wrong, "2.arrow")}: logits: expected feature 0 to be x_a as in 1.arrow, found x_b; list the columns in one order with --features`,
  );
});

test("coefficients of another number of features are refused, also with keepGoing", async () => {
  await refused(
    built.runDataset({
      ...{ ...options, features: "age,educ,y", keep: [] },
      ...{ output: newOutput(), keepGoing: true },
    }),
    "ERR_INPUT_UNSUPPORTED",
    `${coefficients}: array: expected 4 rows, one per feature with the intercept, found 3 × 2`,
  );
});

test("coefficients beside the inputs are no input", async () => {
  const beside = at("beside");
  fs.cpSync(folder, beside, { recursive: true });
  fs.copyFileSync(coefficients, join(beside, "B.npy"));
  const own = { inputs: [beside], coefficients: join(beside, "B.npy") };
  const output = newOutput();
  const report = await built.dryRunDataset({ ...options, ...own, output });
  expect(report.inputs).toBe(2);
});

test("an input without rows takes the number of features from the coefficients", async () => {
  const empty = at("empty");
  fs.mkdirSync(empty);
  writeArrow(join(empty, "a.arrow"), { x: [[], "list<float64>"] });
  writeArrow(join(empty, "b.arrow"), { x: [[[1, 2]], "list<float64>"] });
  const own = { inputs: [empty], output: newOutput(), features: "x", keep: [] };
  const report = await built.runDataset({ ...options, ...own });
  expect(report).toMatchObject({ status: "done", rows: 1, shards: 2 });
});

const world = await s3World();
test("S3 has the same bytes, and the coefficients may be an object", async () => {
  const { endpoint, newPrefix, upload, under } = world;
  upload(folder, "in");
  for (const name of ["B.npy", "V.npy"]) upload(at(name), `model/${name}`);
  const prefix = newPrefix();
  const objects = {
    ...{ inputs: [at3("in")], coefficients: `${at3("model")}B.npy` },
    covarianceFile: `${at3("model")}V.npy`,
  };
  const run = { ...options, ...objects, output: at3(prefix), endpoint };
  await built.planDataset(run);
  await built.runShards({ output: at3(prefix), endpoint, limit: 2 });
  expect((await built.runDataset(run)).shardsUpToDate).toBe(2);
  const found = under(prefix);
  expect([...found.keys()]).toEqual(
    [...Object.keys(filesOf(whole))]
      .map((name) => name.slice(1))
      .sort((a, b) => (a < b ? -1 : 1)),
  );
  for (const [name, bytes] of found)
    if (/^part|npy$/.test(name))
      expect(bytes.equals(fs.readFileSync(join(whole, name))), name).toBe(true);
});

afterEach(endAll);
const redis = await startRedis();
afterAll(endRedis);
queueTest("workers of a queue compute from the copies", async () => {
  const { output } = await plannedElsewhere();
  const queue = { queue: redis.url };
  await built.submitDataset({ ...options, ...queue, output });
  const stop = new AbortController();
  const setup = { ...queue, allow: [at(".")], threads: 1 };
  const hooks = { signal: stop.signal };
  const worker = built.runWorker(setup, hooks).catch(() => {});
  await built.waitForDataset({ ...queue, output, poll: 0.1 });
  stop.abort();
  await worker;
  expectWhole(output, filesOf(whole));
});
