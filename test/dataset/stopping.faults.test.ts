import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { GracefulStop } from "../../src/dataset/graceful-stop.js";
import { softjac, wordsOf } from "../cli/support.js";
import { expectCode, start, THREADS_AND_SIGNALS } from "../queue/processes.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { isLinux } from "../support/machine.js";
import { refused } from "../support/refused.js";
import {
  expectStatus,
  untilCommitted,
  workOutputs,
  writeFolder,
} from "./support.js";

// Work on a dataset that ends early.

const { at, newOutput } = workOutputs();
// Shards of 8 MB: smaller ones are computed without threads.
const size = { rows: 200, classes: 100 };
const folder = await writeFolder(at("logits"), ["a", "b", "c"], size);
const shards = { inputs: [folder], shardRows: 100 };
const whole = newOutput();
await built.runDataset({ ...shards, output: whole });

describe("a stop", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const state = ({ stopSignal, abortSignal }: GracefulStop) => [
    ...[stopSignal.aborted, abortSignal.aborted],
  ];
  /** Collects the error of work that never ends. */
  function errorsOf(work: Promise<unknown>): unknown[] {
    const errors: unknown[] = [];
    work.catch((error) => errors.push(error));
    return errors;
  }
  const never = () => new Promise(() => {});

  test("by a signal: the shard in progress has most of the grace, then all work is abandoned", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const onEvent = vi.fn();
    const stopping = new GracefulStop({ grace: 10 }, { signal, onEvent });
    const errors = errorsOf(stopping.race(never));
    vi.advanceTimersByTime(1e9);
    expect(state(stopping)).toEqual([false, false]);
    controller.abort();
    expect(state(stopping)).toEqual([true, false]);
    vi.advanceTimersByTime(7999);
    expect(stopping.abortSignal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(stopping.abortSignal.aborted).toBe(true);
    const event = { event: "stopping", reason: "signal", graceSeconds: 10 };
    expect(onEvent.mock.calls).toEqual([[event]]);
    await vi.advanceTimersByTimeAsync(1999);
    expect(errors).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(errors).toMatchObject([{ code: "ERR_ABORTED" }]);
    stopping.close();
  });

  test("by an earlier signal, without grace: both signals at once", () => {
    const signal = AbortSignal.abort();
    const stopping = new GracefulStop({ grace: 0 }, { signal });
    expect(state(stopping)).toEqual([true, true]);
    stopping.close();
  });

  test("by the watchdog: planning without progress is abandoned", async () => {
    const stopping = new GracefulStop({ grace: 10, stallTimeout: 60 }, {});
    let alive = () => {};
    const errors = errorsOf(
      stopping.withWatchdog((callback) => {
        alive = callback;
        return never();
      }),
    );
    await vi.advanceTimersByTimeAsync(59_999);
    alive();
    await vi.advanceTimersByTimeAsync(59_999);
    expect(errors).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    const message =
      "no progress for 60 s (--stall-timeout), because a file system or a store does not answer; completed shards are kept; run the same command again to continue";
    expect(errors).toMatchObject([{ code: "ERR_STALLED", message }]);
    stopping.close();
  });
});

test.each([
  [0, 0],
  [25, 1],
])(
  "stopped in the first shard with a grace of %d s: %d shards are done",
  async (grace, done) => {
    const output = newOutput();
    const stop = new AbortController();
    const options = { ...shards, output, grace };
    await refused(
      built.runDataset(
        { ...options, chunkRows: 10 },
        { signal: stop.signal, onProgress: () => stop.abort() },
      ),
      "ERR_STOPPED",
      `stopped with ${done} of 6 shards done; run the same command again to continue`,
      {
        ...{ shardsDone: done, shards: 6 },
        report: { status: "failed", shards: 6, shardsComputed: done },
      },
    );
    await built.runDataset(options);
    expect(filesOf(output)).toEqual(filesOf(whole));
  },
);

describe("threads", () => {
  const args = (output: string) =>
    wordsOf`run ${folder} -o ${output}/ --shard-rows 100 --threads 2 --chunk-rows 10`;
  /** Starts the command with threads that do something when they read b.arrow. */
  function begin(what: string, more: string[] = [], env = {}) {
    const output = newOutput();
    const threads = { THREADS_DO: what, THREADS_AT: "b.arrow", ...env };
    const options = { preload: THREADS_AND_SIGNALS, env: threads };
    return { output, ...start([...args(output), ...more], options) };
  }
  function expectContinues(output: string, counts: object): void {
    expect(existsSync(output)).toBe(false);
    const again = expectStatus(softjac(...args(output), "--json"), 0);
    expect(JSON.parse(again.stdout)).toMatchObject(counts);
    expect(filesOf(output)).toEqual(filesOf(whole));
  }

  test("that hang: 75, and completed shards are kept", async () => {
    const { output, ended } = begin("hang", ["--stall-timeout", "5"]);
    await expectCode(
      { ended },
      75,
      "part-00002-of-00006.arrow (rows 0 to 99 of b.arrow): no progress for 5 s (0 of 100 rows done); completed shards are kept; run the same command again to continue",
    );
    expectContinues(output, { shardsUpToDate: 2 });
  });

  test("that die once: the shard is computed again", async () => {
    const once = { THREADS_ONCE: at("died") };
    const { output, ended } = begin("exit", [], once);
    await expectCode({ ended }, 0);
    expect(existsSync(at("died"))).toBe(true);
    expect(filesOf(output)).toEqual(filesOf(whole));
  });

  test("that die again: 70 with the names of the shards, and the others are computed", async () => {
    const { output, ended } = begin("exit");
    await expectCode(
      { ended },
      70,
      "worker threads crashed twice while computing part-00002-of-00006.arrow (rows 0 to 99 of b.arrow): a worker thread failed: worker exited with code: 3; part-00003-of-00006.arrow",
    );
    expectContinues(output, { shardsUpToDate: 4, shardsComputed: 2 });
  });

  test("that hang: a second signal ends the process at once", async () => {
    const patient = wordsOf`--grace 600 --stall-timeout 900`;
    const { output, child, until, ended } = begin("hang", patient);
    await until(/threads-that: hang/);
    await untilCommitted(output, 2);
    child.kill("SIGTERM");
    await until(/says-signals: SIGTERM/);
    child.kill("SIGTERM");
    expect((await ended).code).toBe(143);
    expectContinues(output, { shardsUpToDate: 2 });
  });

  test.skipIf(!isLinux)(
    "in a blocked system call: one signal ends the process, and completed shards are kept",
    async () => {
      const THREADS_PIPE = at("pipe");
      expect(spawnSync("mkfifo", [THREADS_PIPE]).status).toBe(0);
      const patient = wordsOf`--grace 0.5 --stall-timeout 900`;
      const started = begin("block", patient, { THREADS_PIPE });
      await started.until(/threads-that: block/);
      await untilCommitted(started.output, 2);
      started.child.kill("SIGTERM");
      // exit() waits for such a thread, so that the exit code 75 is lost.
      await expectCode(
        started,
        "SIGTERM",
        "softjac: stopped with 2 of 6 shards done; run the same command again to continue\n",
      );
      expectContinues(started.output, { shardsUpToDate: 2 });
    },
  );
});
