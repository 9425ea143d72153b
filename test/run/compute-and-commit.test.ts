import { utimesSync } from "node:fs";
import { expect, test, vi } from "vitest";
import {
  AbortedError,
  InputChangedError,
  OutputClosedError,
  WorkerError,
} from "../../src/errors.js";
import { openLogits } from "../../src/input/open-logits.js";
import { resolveOptions } from "../../src/options/run-options.js";
import { openPending } from "../../src/output/commit.js";
import { WorkerPool } from "../../src/pool/worker-pool.js";
import { computeAndCommit } from "../../src/run/compute-and-commit.js";
import { openOptions } from "../../src/run/open-options.js";
import { planRun } from "../../src/run/run-plan.js";
import { ReportBuilder } from "../../src/run/run-report.js";
import { runsIn } from "../support/runs.js";

const { write, output } = runsIn();
const input = write({ rows: 50, classes: 4, logit: (r, k) => r * k });

// The sources have no compiled kernel beside them.
vi.mock(import("../../src/tasks/kernel-memory.js"), async (original) => {
  const { allocateKernelMemory, ...others } = await original();
  return {
    ...others,
    allocateKernelMemory: (bytes) => allocateKernelMemory(bytes, "plain"),
  };
});

const died = new WorkerError("a worker thread failed: it exited");

// After the death of a thread all others end before the output is closed, else they are kept for the next run.
test.each([
  ["bsr", died, ["threads ended", "output closed"]],
  ["coo", died, ["threads ended", "output closed"]],
  ["csr", died, ["threads ended", "output closed"]],
  ["coo", new AbortedError(), ["output closed"]],
] as const)("%s, tasks fail with %s: %j", async (layout, thrown, expected) => {
  const options = resolveOptions({ input, output, layout });
  const logits = await openLogits(input, openOptions(options));
  const order: string[] = [];
  const workerPool = new WorkerPool();
  workerPool.pool = async () => ({ run: () => Promise.reject(thrown) });
  workerPool.close = async () => {
    // Threads take their time to end.
    await new Promise(setImmediate);
    order.push("threads ended");
  };
  const open = async () => {
    const pending = await openPending(output, 0, options);
    const discard = async () => {
      order.push("output closed");
      await pending.discard();
    };
    return { ...pending, discard };
  };
  const report = new ReportBuilder(input, output);
  const work = { workerPool, options, logits, report };
  const plan = planRun(options, logits);
  await expect(
    computeAndCommit(plan, work, output, open, () => {}),
  ).rejects.toBe(thrown);
  logits.close();
  expect(order).toEqual(expected);
});

test("an input that changed ends a compressed stream that nobody reads", async () => {
  const options = resolveOptions({ input, output: "-", compress: "lz4" });
  const logits = await openLogits(input, openOptions(options));
  const stopped = new AbortController();
  const closed = new Promise<never>((_, reject) => {
    const error = new OutputClosedError("standard output");
    stopped.signal.addEventListener("abort", () => reject(error));
  });
  closed.catch(() => {});
  let writes = 0;
  const stream = {
    async write() {
      // The head is read, the record batch is not.
      if (writes++ > 0) await closed;
      utimesSync(input, 1, 1);
    },
    destroy: () => stopped.abort(),
    end: async () => {},
  };
  const open = async () => ({
    ...{ fd: -1, direct: -1, compare: false, stream },
    reportWritten: () => {},
    stop: stream.destroy,
    commit: async () => {},
    discard: async () => stream.destroy(),
  });
  const report = new ReportBuilder(input, "-");
  const workerPool = new WorkerPool();
  const work = { workerPool, options, logits, report };
  const plan = planRun(options, logits);
  await expect(
    computeAndCommit(plan, work, "-", open, () => {}),
  ).rejects.toThrow(InputChangedError);
  logits.close();
});
