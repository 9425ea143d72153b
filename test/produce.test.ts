import { expect, test, vi } from "vitest";
import { AbortedError, WorkerError } from "../src/errors.js";
import { openLogits } from "../src/input/open-logits.js";
import { resolveOptions } from "../src/options/run-options.js";
import { openPending } from "../src/output/commit.js";
import { WorkerPool } from "../src/pool/worker-pool.js";
import { computeAndCommit } from "../src/run/compute-and-commit.js";
import { openOptions } from "../src/run/open-options.js";
import { planRun } from "../src/run/run-plan.js";
import { ReportBuilder } from "../src/run/run-report.js";
import { workDirectory, writeLogits } from "./support/logits-input.js";

const at = workDirectory();

// The sources have no compiled kernel beside them.
vi.mock(import("../src/tasks/kernel-memory.js"), async (original) => {
  const { allocateKernelMemory, ...others } = await original();
  return {
    ...others,
    allocateKernelMemory: (bytes) => allocateKernelMemory(bytes, "plain"),
  };
});

/** What happens, in order, to a run whose tasks end so. */
async function failing(
  layout: "bsr" | "coo" | "csr",
  thrown: Error,
): Promise<{ order: string[]; error: unknown }> {
  const input = at("in.arrow");
  writeLogits(input, { rows: 50, classes: 4, logit: (r, k) => r * k });
  const options = resolveOptions({ input, output: at("out.arrow"), layout });
  const logits = await openLogits(input, openOptions(options));
  const order: string[] = [];
  const workerPool = new WorkerPool();
  workerPool.pool = async () => ({
    run: async () => {
      throw thrown;
    },
  });
  workerPool.close = async () => {
    // it takes its time until the last thread has ended
    await new Promise(setImmediate);
    order.push("threads ended");
  };
  const open = async () => {
    const pending = await openPending(options.output, 0, options);
    const discard = async () => {
      order.push("output closed");
      await pending.discard();
    };
    return { ...pending, discard };
  };
  const report = new ReportBuilder(input, options.output);
  const job = planRun(options, logits);
  const work = { workerPool, options, logits, report };
  const error = await computeAndCommit(
    job,
    work,
    options.output,
    open,
    () => {},
  ).catch((error) => error);
  logits.close();
  return { order, error };
}

test.each(["bsr", "coo", "csr"] as const)(
  "%s: where a thread has died, all have ended before the output is closed",
  async (layout) => {
    const died = new WorkerError("a worker thread failed: it exited");
    const { order, error } = await failing(layout, died);
    expect(error).toBeInstanceOf(WorkerError);
    expect(order).toEqual(["threads ended", "output closed"]);
  },
);

test("else threads are kept, for the next run", async () => {
  const { order, error } = await failing("coo", new AbortedError());
  expect(error).toBeInstanceOf(AbortedError);
  expect(order).toEqual(["output closed"]);
});
