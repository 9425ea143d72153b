import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, onTestFinished } from "vitest";
import type { WorkerOptions } from "../../src/queue/job-handler.js";
import type { SubmitOptions } from "../../src/queue/submit.js";
import type { WaitOptions } from "../../src/queue/wait.js";
import type { WorkerReport } from "../../src/queue/worker.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";
import {
  endAll,
  expectCode,
  type Started,
  type StartOptions,
  start,
} from "./processes.js";
import { endRedis, startRedis, type TestRedis } from "./redis.js";

/**
 * Starts a server and makes a dataset for the tests of a file, which calls it at its top. What a test leaves running, and its
 * jobs, end with the test.
 */
export async function queueWorld(size: DatasetSize = {}, ...server: string[]) {
  const at = workDirectory();
  const redis = await startRedis(...server);
  afterEach(async () => {
    await endAll();
    await redis.client.flushall();
  });
  afterAll(endRedis);
  return { at, redis, dataset: await testDataset(at, redis, size) };
}

type DatasetSize = { rows?: number; classes?: number };

/** Makes inputs a, b and c with shards of 200 rows, and functions that compute them through a queue. */
export async function testDataset(
  at: (name: string) => string,
  redis: TestRedis,
  { rows = 600, classes = 10 }: DatasetSize = {},
) {
  const folder = at("logits");
  mkdirSync(folder);
  for (const [seed, name] of ["a.arrow", "b.arrow", "c.arrow"].entries())
    await built.generate({ output: join(folder, name), rows, classes, seed });
  const whole = at("whole");
  const planned = { inputs: [folder], shardRows: 200 };
  await built.runDataset({ ...planned, output: whole });
  let names = 0;
  const newName = (name: string) => at(`${name}-${names++}`);
  const newOutput = () => newName("out");
  const { url } = redis;
  const queue = ["--queue", url];
  const log = ["--log-format", "json"];
  const parts = ["--shard-rows", "200"];

  /** Runs a worker in this process until `end`, or the end of the test. */
  function workerHere(more: Partial<WorkerOptions> = {}) {
    const stop = new AbortController();
    const options = { queue: url, allow: [at(".")], threads: 1, lease: 2 };
    const { signal } = stop;
    const ended = built.runWorker({ ...options, ...more }, { signal });
    const end = () => {
      stop.abort();
      return ended.catch((error): WorkerReport => {
        if (error instanceof built.StoppedError)
          return error.report as unknown as WorkerReport;
        throw error;
      });
    };
    onTestFinished(() => end().then(() => {}));
    return { end, ended };
  }

  const commands = {
    submit: (output: string, more: string[] = [], options?: StartOptions) =>
      start(
        ["submit", folder, "-o", output, ...parts, ...queue, ...more],
        options,
      ),
    /** Starts a worker with short leases that ends after a while without work. */
    worker: (more: string[] = [], { env, ...options }: StartOptions = {}) =>
      start(["worker", ...queue, ...log, "--threads", "1", ...more], {
        ...{ cwd: at("."), ...options },
        // Flags override the environment.
        env: { SOFTJAC_LEASE: "2", SOFTJAC_IDLE_LIMIT: "60", ...env },
      }),
    wait: (output: string, ...more: string[]) =>
      start(["wait", output, ...queue, "--poll", "0.2", ...log, ...more]),
  };

  // The same functions in this process: starting a command takes a second.
  const here = {
    submit: (output: string, more?: Partial<SubmitOptions>) =>
      built.submitDataset({ ...planned, output, queue: url, ...more }),
    wait: (output: string, more?: Partial<WaitOptions>) =>
      built.waitForDataset({ output, queue: url, poll: 0.2, ...more }),
    worker: workerHere,
  };

  /** Asserts that a dataset has the bytes that one machine computes. */
  const expectSame = (output: string) =>
    expect(filesOf(output)).toEqual(filesOf(whole));

  return {
    ...{ folder, parts, newName, newOutput, expectSame, commands, here },
    /** Submits the shards for a new output. */
    async submitted(more?: Partial<SubmitOptions>): Promise<string> {
      const output = newOutput();
      await here.submit(output, more);
      return output;
    },
    /** Publishes a submitted dataset with one more worker, and returns the report of the worker. */
    async completed(
      output: string,
      more?: Partial<WorkerOptions>,
    ): Promise<WorkerReport> {
      const worker = workerHere(more);
      await here.wait(output);
      expectSame(output);
      return worker.end();
    },
    /** Starts a worker that acts at a call; `release` creates the file that it may wait for. */
    workerAt(
      AT: string,
      more: string[] = [],
      env: Record<string, string> = {},
    ) {
      const AT_FILE = newName("file");
      const acting = { AT, AT_FILE, AT_ONCE: newName("once"), ...env };
      const options = { preload: ["at-call.mjs"], env: acting };
      const worker = commands.worker(more, options);
      return { ...worker, release: () => writeFileSync(AT_FILE, "") };
    },
  };
}

/** Stops a worker, which releases its shard, and returns its log. */
export async function endWorker(worker: Started): Promise<string> {
  worker.child.kill("SIGTERM");
  const { stderr } = await expectCode(worker, 75);
  return stderr;
}

/** Returns how often a message was logged. */
export function countOf(stderr: string, msg: string): number {
  return stderr.split(`"msg":"${msg}"`).length - 1;
}
