import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DatasetEvent } from "../../src/dataset/events.js";
import { GracefulStop } from "../../src/dataset/graceful-stop.js";
import { CLI, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";
import { untilSaid } from "../support/until-said.js";
import { outputsIn, untilCommitted, writeFolder } from "./outputs.js";

// How work on a dataset ends before its end.

const at = workDirectory();
const newOutput = outputsIn(at);
// Shards of 8 MB: smaller ones are computed without threads.
const folder = await writeFolder(at("logits"), ["a", "b", "c"], {
  rows: 200,
  classes: 100,
});

const whole = newOutput();
await built.runDataset({ inputs: [folder], output: whole, shardRows: 100 });

describe("when", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const state = ({ stopSignal, abortSignal, reason }: GracefulStop) => [
    stopSignal.aborted,
    abortSignal.aborted,
    reason,
  ];

  test("a signal: nothing more is begun, and the part under way has most of the grace", () => {
    const events: DatasetEvent[] = [];
    const controller = new AbortController();
    const stopping = new GracefulStop(
      { grace: 10, timeLimit: undefined },
      { signal: controller.signal, onEvent: (event) => events.push(event) },
    );
    vi.advanceTimersByTime(1e9);
    expect(state(stopping)).toEqual([false, false, null]);
    controller.abort();
    expect(state(stopping)).toEqual([true, false, "signal"]);
    vi.advanceTimersByTime(7999);
    expect(stopping.abortSignal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(stopping.abortSignal.aborted).toBe(true);
    expect(events).toEqual([
      { event: "stopping", reason: "signal", graceSeconds: 10 },
    ]);
  });

  test("the time limit: as a signal, the grace before", () => {
    const stopping = new GracefulStop({ grace: 10, timeLimit: 60 }, {});
    vi.advanceTimersByTime(49_999);
    expect(state(stopping)).toEqual([false, false, null]);
    vi.advanceTimersByTime(1);
    expect(state(stopping)).toEqual([true, false, "time limit"]);
    vi.advanceTimersByTime(8000);
    expect(stopping.abortSignal.aborted).toBe(true);
  });

  test("work that never ends is left once the grace is over", async () => {
    const controller = new AbortController();
    const stopping = new GracefulStop(
      { grace: 10, timeLimit: undefined },
      { signal: controller.signal },
    );
    const met: unknown[] = [];
    stopping
      .race(() => new Promise(() => {}))
      .catch((error) => met.push(error));
    controller.abort();
    await vi.advanceTimersByTimeAsync(9999);
    expect(met).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(met).toMatchObject([{ code: "ERR_ABORTED" }]);
    stopping.close();
  });

  test("planning without a sign of life is left", async () => {
    const limits = { grace: 10, timeLimit: undefined, stallTimeout: 60 };
    const stopping = new GracefulStop(limits, {});
    const met: unknown[] = [];
    let goOn = () => {};
    const work = (alive: () => void) => {
      goOn = alive;
      return new Promise(() => {});
    };
    stopping.withWatchdog(work).catch((error) => met.push(error));
    await vi.advanceTimersByTimeAsync(59_999);
    goOn();
    await vi.advanceTimersByTimeAsync(59_999);
    expect(met).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(met).toMatchObject([
      {
        code: "ERR_STALLED",
        message:
          "no progress for 60 s (--stall-timeout), because a file system or a store does not answer; completed shards are kept; run the same command again to continue",
      },
    ]);
    stopping.close();
  });

  test("no grace: both at once; a signal that came before", () => {
    const stopping = new GracefulStop(
      { grace: 0, timeLimit: undefined },
      { signal: AbortSignal.abort() },
    );
    expect(state(stopping)).toEqual([true, true, "signal"]);
    stopping.close();
  });
});

test.each([
  [0, 0],
  [25, 1],
])(
  "grace %d s: %d parts are done when it is stopped in the first",
  async (grace, done) => {
    const output = newOutput();
    const controller = new AbortController();
    const options = { inputs: [folder], output, shardRows: 100, grace };
    const stopped = built.runDataset(
      { ...options, chunkRows: 10 },
      { signal: controller.signal, onProgress: () => controller.abort() },
    );
    await expect(stopped).rejects.toMatchObject({
      code: "ERR_STOPPED",
      shardsDone: done,
      shards: 6,
      report: { status: "failed", shards: 6, shardsComputed: done },
    });
    await built.runDataset(options);
    expect(filesOf(output)).toEqual(filesOf(whole));
  },
);

test("a time limit that is no longer than the grace is refused", async () => {
  await expect(
    built.runDataset({ inputs: [folder], output: newOutput(), timeLimit: 25 }),
  ).rejects.toThrow(
    "timeLimit: expected more than the grace period (25 s), found 25",
  );
});

describe("threads", () => {
  const preload = fileURLToPath(new URL("threads-that.mjs", import.meta.url));
  const args = (output: string, ...more: string[]) => [
    ...["--import", preload, CLI, "run", folder, "-o", `${output}/`],
    ...["--shard-rows", "100", "--threads", "2", "--chunk-rows", "10"],
    ...more,
  ];
  const env = (env: Record<string, string>) => ({ ...process.env, ...env });
  const start = (
    output: string,
    set: Record<string, string>,
    ...more: string[]
  ) =>
    spawnSync(process.execPath, args(output, ...more), {
      encoding: "utf8",
      env: env(set),
    });
  const goesOn = (output: string) => {
    const again = softjac(...args(output).slice(3), "--json");
    expect(again.status, again.stderr).toBe(0);
    expect(filesOf(output)).toEqual(filesOf(whole));
    return JSON.parse(again.stdout);
  };
  test("there are threads, which read", () => {
    const output = newOutput();
    const found = start(output, {
      THREADS_DO: "wait",
      THREADS_AT: "b.arrow",
      THREADS_ONCE: at("waited"),
    });
    expect(found.status).toBe(0);
    expect(existsSync(at("waited"))).toBe(true);
  });

  test("that hang: 75, what is done is kept", () => {
    const output = newOutput();
    const found = start(
      output,
      { THREADS_DO: "hang", THREADS_AT: "b.arrow" },
      "--stall-timeout",
      "5",
    );
    expect(found.stderr).toContain(
      "part-00002-of-00006.arrow (rows 0 to 99 of b.arrow): no progress for 5 s (0 of 100 rows done); completed shards are kept; run the same command again to continue",
    );
    expect(found.status).toBe(75);
    expect(existsSync(output)).toBe(false);
    expect(goesOn(output).shardsUpToDate).toBe(2);
  });

  test("that die once: the part is made again", () => {
    const output = newOutput();
    const found = start(output, {
      THREADS_DO: "exit",
      THREADS_AT: "b.arrow",
      THREADS_ONCE: at("died"),
    });
    expect(found.status, found.stderr).toBe(0);
    expect(existsSync(at("died"))).toBe(true);
    expect(filesOf(output)).toEqual(filesOf(whole));
  });

  test("that die again and again: 70 with the parts' names, the others are made", () => {
    const output = newOutput();
    const found = start(output, { THREADS_DO: "exit", THREADS_AT: "b.arrow" });
    expect(found.status).toBe(70);
    expect(found.stderr).toContain(
      "worker threads crashed twice while computing part-00002-of-00006.arrow (rows 0 to 99 of b.arrow): a worker thread failed: worker exited with code: 3; part-00003-of-00006.arrow",
    );
    expect(existsSync(output)).toBe(false);
    expect(goesOn(output)).toMatchObject({
      shardsUpToDate: 4,
      shardsComputed: 2,
    });
  });

  test("a second signal ends the process at once", async () => {
    const output = newOutput();
    const saysSignals = fileURLToPath(
      new URL("../support/says-signals.mjs", import.meta.url),
    );
    const child = spawn(
      process.execPath,
      [
        ...["--import", saysSignals],
        ...args(output, "--grace", "600", "--stall-timeout", "900"),
      ],
      { env: env({ THREADS_DO: "hang", THREADS_AT: "b.arrow" }) },
    );
    const closed = once(child, "close");
    const heard = untilSaid(child, "says-signals: SIGTERM");
    await untilSaid(child, "threads-that: hang");
    await untilCommitted(output, 2);
    child.kill("SIGTERM");
    await heard;
    child.kill("SIGTERM");
    expect(await closed).toEqual([143, null]);
    expect(existsSync(output)).toBe(false);
    expect(goesOn(output).shardsUpToDate).toBe(2);
  });

  test.skipIf(process.platform !== "linux")(
    "that the system keeps in a call: one signal ends the process, what is done is kept",
    async () => {
      const output = newOutput();
      const pipe = at("pipe");
      expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
      const blocks = { THREADS_DO: "block", THREADS_AT: "b.arrow" };
      const child = spawn(
        process.execPath,
        args(output, "--grace", "0.5", "--stall-timeout", "900"),
        { env: env({ ...blocks, THREADS_PIPE: pipe }) },
      );
      let stderr = "";
      child.stderr.on("data", (text) => {
        stderr += text;
      });
      const closed = once(child, "close");
      await untilSaid(child, "threads-that: block");
      await untilCommitted(output, 2);
      child.kill("SIGTERM");
      // exit() waits for such a thread, so that the exit code 75 is lost.
      expect(await closed).toEqual([null, "SIGTERM"]);
      expect(stderr).toContain(
        "softjac: stopped with 2 of 6 shards done; run the same command again to continue\n",
      );
      expect(goesOn(output).shardsUpToDate).toBe(2);
    },
  );

  test("the time limit: 75, what is done is kept", () => {
    const output = newOutput();
    const found = start(
      output,
      { THREADS_DO: "wait", THREADS_AT: ".arrow" },
      "--time-limit",
      "1.5",
      "--grace",
      "0.5",
    );
    expect(found.status, found.stderr).toBe(75);
    expect(found.stderr).toMatch(/stopped (with \d of 6 shards done|before)/);
    expect(existsSync(output)).toBe(false);
    goesOn(output);
  });
});
