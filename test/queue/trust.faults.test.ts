import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Queue } from "bullmq";
import { afterAll, afterEach, test as anyTest, expect } from "vitest";
import { queueNameOf } from "../../src/queue/open-queue.js";
import { VERSION } from "../../src/version.js";
import { CLI } from "../cli/support.js";
import { workDirectory } from "../support/logits-input.js";
import { faketimeLibrary } from "../support/machine.js";
import { countOf, endWorker, expectCode, testDataset } from "./dataset.js";
import { endAll } from "./processes.js";
import { endRedis, hasRedis, startRedis, test, untilRenewed } from "./redis.js";

// Jobs that a worker does not do, and clocks that it does not go by.

const at = workDirectory();
afterEach(endAll);
const redis = await startRedis();
afterAll(endRedis);
const dataset = await testDataset(at, redis);
const { worker, wait } = dataset.commands;
const { here } = dataset;
const queue = new Queue(queueNameOf(), { connection: redis.client });
afterAll(() => queue.close());

test("job data is not believed: each is refused with a sentence, once, and nothing is touched", async () => {
  const [allowed, outside] = [at("allowed"), at("outside")];
  mkdirSync(allowed);
  mkdirSync(outside);
  const plan = async (output: string) => {
    return (await here.submit(output)).fingerprint as string;
  };
  const inside = join(allowed, "out");
  const beyond = join(outside, "out");
  const [run] = [await plan(inside), await plan(beyond)];
  await queue.obliterate({ force: true });
  symlinkSync(outside, join(allowed, "link"));
  symlinkSync(`${beyond}.__wip-${run}`, `${join(allowed, "in")}.__wip-${run}`);
  const data: [object, string][] = [
    [
      { output: beyond, run, index: 0 },
      "is outside the locations that --allow permits",
    ],
    [
      { output: join(allowed, "link/out"), run, index: 0 },
      "is outside the locations that --allow permits",
    ],
    [
      { output: join(allowed, "in"), run, index: 0 },
      "is outside the locations that --allow permits",
    ],
    [{ output: `${allowed}/../outside/out`, run, index: 0 }, "without . or .."],
    [{ output: "allowed/out", run, index: 0 }, "expected an absolute path"],
    [
      { output: "s3://bucket/out", run, index: 0 },
      "is outside the locations that --allow permits",
    ],
    [
      { output: inside, run, index: 9 },
      "has only 9 shards, so there is no shard 9",
    ],
    [{ output: inside, run, index: -1 }, "the job has invalid data"],
    [{ output: inside, run, index: 1.5 }, "the job has invalid data"],
    [{ output: inside, run: "../../x", index: 0 }, "the job has invalid data"],
    [{ output: inside, run, index: 0, threads: 9 }, "the job has invalid data"],
    [{ output: [inside], run, index: 0 }, "the job has invalid data"],
    [{}, "the job has invalid data"],
  ];
  for (const [job] of data) await queue.add("shard", job, { attempts: 5 });
  const before = readdirSync(outside, { recursive: true });
  // The inputs may be read, too.
  const allow = ["--allow", `${allowed},${dataset.folder}`];
  const { stderr } = await expectCode(
    worker([...allow, "--idle-limit", "3"]),
    0,
  );
  expect(countOf(stderr, "shard failed")).toBe(data.length);
  const failed = await queue.getFailed();
  expect(failed.map(({ data }) => data)).toHaveLength(data.length);
  for (const { data: job, failedReason, attemptsMade } of failed) {
    const [, sentence] = data.find(
      ([one]) => JSON.stringify(one) === JSON.stringify(job),
    ) as [object, string];
    expect(failedReason).toMatch(/^ERR_JOB_REFUSED: /);
    expect(failedReason).toContain(sentence);
    expect(attemptsMade).toBe(1);
  }
  expect(readdirSync(outside, { recursive: true })).toEqual(before);
  await queue.obliterate({ force: true });
});

test("inputs elsewhere than allowed are refused", async () => {
  const apart = at("apart");
  mkdirSync(apart);
  await here.submit(join(apart, "out"));
  const one = worker(["--allow", apart, "--idle-limit", "3"]);
  const { stderr } = await expectCode(one, 0);
  expect(countOf(stderr, "shard failed")).toBe(9);
  expect(stderr).toContain("is outside the locations that --allow permits");
  await queue.obliterate({ force: true });
});

/** The same build with another version's name. */
function otherVersion(): string {
  const folder = at("other-version");
  cpSync(dirname(CLI), join(folder, "dist"), { recursive: true });
  cpSync(
    new URL("../../package.json", import.meta.url),
    join(folder, "package.json"),
  );
  symlinkSync(
    fileURLToPath(new URL("../../node_modules", import.meta.url)),
    join(folder, "node_modules"),
  );
  for (const name of readdirSync(join(folder, "dist"))) {
    if (!name.endsWith(".js")) continue;
    const path = join(folder, "dist", name);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replaceAll(VERSION, "0.0.9-other"));
  }
  return join(folder, "dist/cli.js");
}

test("mixed versions: each does its own, and refuses the other's", async () => {
  const cli = otherVersion();
  expect(
    execFileSync(process.execPath, [cli, "--version"], { encoding: "utf8" }),
  ).toBe("0.0.9-other\n");
  const output = dataset.newOutput();
  const other = worker([], { cli });
  const own = worker();
  const { fingerprint: run } = await here.submit(output);
  await here.wait(output);
  dataset.expectSame(output);
  expect(countOf(await endWorker(own), "shard completed")).toBe(9);
  // Into its queue all the same.
  const theirs = new Queue(`softjac-0.0.9-other`, { connection: redis.client });
  const next = dataset.newOutput();
  await here.submit(next);
  await theirs.add("shard", { output: next, run, index: 0 }, { attempts: 5 });
  await other.until(/"msg":"shard failed"/);
  const said = await endWorker(other);
  expect(said).toContain(
    `planned by softjac ${VERSION}, but this worker is softjac 0.0.9-other`,
  );
  expect([
    countOf(said, "shard completed"),
    countOf(said, "shard failed"),
  ]).toEqual([0, 1]);
  await theirs.close();
  const last = here.worker();
  await here.wait(next);
  await last.end();
  dataset.expectSame(next);
});

const library = faketimeLibrary();

anyTest.skipIf(!hasRedis || !library)(
  "a clock that goes back an hour takes no part from its worker",
  async () => {
    const clock = at("clock");
    writeFileSync(clock, "+0");
    const output = dataset.newOutput();
    await here.submit(output);
    const letGo = at("let-go");
    const shifted = worker(["--lease", "1"], {
      preload: ["at-call.mjs"],
      env: {
        LD_PRELOAD: library as string,
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: "1",
        // A clock that is set is the one of the day alone.
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
        DONT_FAKE_MONOTONIC: "1",
        AT_CALL: "link",
        AT_PATH: "part-00002-of",
        AT_WHEN: "before",
        AT_DO: "hold",
        AT_FILE: letGo,
        AT_ONCE: at("once"),
      },
    });
    await shifted.until(/at-call: hold/);
    writeFileSync(clock, "-1h");
    const other = here.worker({ lease: 1 });
    const waiting = wait(output);
    await waiting.until(/"shardsDone":8/);
    // Who went by the time of day would not renew its lease for an hour.
    await untilRenewed(redis, 3);
    writeFileSync(letGo, "");
    await expectCode(waiting, 0);
    const said = await endWorker(shifted);
    const [, last = ""] =
      /"time":"([^"]+)"[^\n]*part-00002-of/.exec(said) ?? [];
    expect(Date.now() - Date.parse(last)).toBeGreaterThan(3_000_000);
    const { shardsComputed, shardsReleased } = await other.end();
    expect(countOf(said, "shard completed") + shardsComputed).toBe(9);
    expect(said).not.toContain("shard released");
    expect(shardsReleased).toBe(0);
    dataset.expectSame(output);
  },
);
