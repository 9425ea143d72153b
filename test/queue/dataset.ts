import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { DatasetReport } from "../../src/dataset/dataset-report.js";
import type { SubmitOptions, SubmitReport } from "../../src/queue/submit.js";
import type { WaitOptions } from "../../src/queue/wait.js";
import type { WorkerReport } from "../../src/queue/worker.js";
import type { WorkerOptions } from "../../src/queue/worker-options.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { type Started, start } from "./processes.js";
import type { TestRedis } from "./redis.js";

/** A folder of logits, what one machine makes of it, and outputs that queues are to make the same of. */
export interface TestDataset {
  folder: string;
  /** Options of the command line that say which shards. */
  parts: string[];
  shards: number;
  newOutput(): string;
  /** Every byte is what one machine has made. */
  expectSame(output: string): void;
  commands: QueueCommands;
  here: QueueHere;
}

/** The same by the library in the process of the test, for all that is not tested: starting a command takes a second. */
interface QueueHere {
  submit(output: string, more?: Partial<SubmitOptions>): Promise<SubmitReport>;
  wait(output: string, more?: Partial<WaitOptions>): Promise<DatasetReport>;
  worker(more?: Partial<WorkerOptions>): WorkerHere;
}

interface WorkerHere {
  /** Ends it, as the end of the test does at the latest. */
  end(): Promise<WorkerReport>;
  /** Resolves when the worker ends after `idleLimit`. */
  ended: Promise<WorkerReport>;
}

interface QueueCommands {
  submit(output: string, ...more: string[]): Started;
  /** Under a preload of this folder. */
  submitUnder(
    options: Parameters<typeof start>[1],
    output: string,
    ...more: string[]
  ): Started;
  /** Short leases, and the end after a while without work. */
  worker(more?: string[], options?: Parameters<typeof start>[1]): Started;
  wait(output: string, ...more: string[]): Started;
}

/** Inputs a, b and c, in parts of 200 rows. */
export async function testDataset(
  at: (name: string) => string,
  redis: TestRedis,
  { rows = 600, classes = 10 } = {},
): Promise<TestDataset> {
  const folder = at("logits");
  mkdirSync(folder);
  for (const [seed, name] of ["a", "b", "c"].entries())
    await built.generate({
      output: join(folder, `${name}.arrow`),
      rows,
      classes,
      seed,
    });
  const whole = at("whole");
  const report = await built.runDataset({
    inputs: [folder],
    output: whole,
    shardRows: 200,
  });
  let names = 0;
  const parts = ["--shard-rows", "200"];
  const queue = ["--queue", redis.url];
  const log = ["--log-format", "json"];
  const submitUnder: QueueCommands["submitUnder"] = (
    options,
    output,
    ...more
  ) =>
    start(
      ["submit", folder, "-o", output, ...parts, ...queue, ...more],
      options,
    );
  return {
    folder,
    parts,
    shards: report.shards,
    newOutput: () => at(`out-${names++}`),
    expectSame: (output) => expect(filesOf(output)).toEqual(filesOf(whole)),
    commands: {
      submit: (output, ...more) => submitUnder({}, output, ...more),
      submitUnder,
      worker: (more = [], { env, ...options } = {}) =>
        start(["worker", ...queue, ...log, "--threads", "1", ...more], {
          cwd: at("."),
          ...options,
          // The line comes before the environment.
          env: { SOFTJAC_LEASE: "2", SOFTJAC_IDLE_LIMIT: "60", ...env },
        }),
      wait: (output, ...more) =>
        start(["wait", output, ...queue, "--poll", "0.2", ...log, ...more]),
    },
    here: queueHere(redis.url, folder, at(".")),
  };
}

function queueHere(queue: string, folder: string, allowed: string): QueueHere {
  return {
    submit: (output, more) =>
      built.submitDataset({
        inputs: [folder],
        output,
        shardRows: 200,
        queue,
        ...more,
      }),
    wait: (output, more) =>
      built.waitForDataset({ output, queue, poll: 0.2, ...more }),
    worker: (more) =>
      workerHere({ queue, allow: [allowed], threads: 1, lease: 2, ...more }),
  };
}

function workerHere(options: WorkerOptions): WorkerHere {
  const stop = new AbortController();
  const ended = built.runWorker(options, { signal: stop.signal });
  const end = () => {
    stop.abort();
    return ended.catch((error) => {
      if (error instanceof built.StoppedError)
        return error.report as unknown as WorkerReport;
      throw error;
    });
  };
  onTestFinished(() => end().then(() => {}));
  return { end, ended };
}

/** Ended with a code, and else shows what was said. */
export async function expectCode(
  started: Started,
  code: number | string,
): Promise<{ stderr: string; stdout: string }> {
  const found = await started.ended;
  expect(found.code, found.stderr).toBe(code);
  return found;
}

/** Asks a worker to end, which hands back what it has. */
export async function endWorker(worker: Started): Promise<string> {
  worker.child.kill("SIGTERM");
  const { stderr } = await expectCode(worker, 75);
  return stderr;
}

/** How often a line was logged. */
export function countOf(stderr: string, msg: string): number {
  return stderr.split(`"msg":"${msg}"`).length - 1;
}
