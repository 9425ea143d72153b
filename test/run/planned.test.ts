import { closeSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import { resolveOptions } from "../../src/options/run-options.js";
import { openPending } from "../../src/output/commit.js";
import { planFixed } from "../../src/run/fixed-plan.js";
import { openOptions } from "../../src/run/open-options.js";
import { writeFixed } from "../../src/run/write-fixed.js";
import type { Reply, Task } from "../../src/tasks/run-tasks.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { contextOf, turn } from "../support/run-context.js";

const at = workDirectory();
const input = at("in.arrow");
writeLogits(input, { rows: 4000, classes: 31, logit: (r, k) => r / (k + 1) });
const done: Reply = { ok: true, badRows: [], nulls: [], part: null };

/** Runs a plan with `run` instead of a pool of workers. */
async function computeWith(
  run: (task: Task) => Promise<Reply>,
  signal?: AbortSignal,
  fd?: number,
): Promise<{ rowsDone: number; slots: number; chunks: number }> {
  const output = at("out.arrow");
  const options = resolveOptions({ input, output, threads: 2, chunkRows: 100 });
  const logits = await openLogits(input, openOptions(options));
  const job = planFixed(options, logits);
  const pending = await openPending(output, job.layout.bytes, options);
  const context = contextOf(job, options, logits, pending, run);
  // Only writes after the head go to `fd`.
  const runs = (task: Task) => {
    Object.assign(target, fd && { fd });
    return run(task);
  };
  const target = { ...pending };
  try {
    await writeFixed(job, {
      ...context,
      output: target,
      pool: { run: runs },
      signal,
    });
  } finally {
    await pending.discard();
    logits.close();
  }
  return {
    rowsDone: context.report.rowsDone,
    slots: job.slots,
    chunks: job.chunkCount,
  };
}

test("a slot has at most one task in flight", async () => {
  const busy = new Set<number>();
  let peak = 0;
  const { rowsDone, slots } = await computeWith(async ({ slot }) => {
    expect(busy.has(slot)).toBe(false);
    busy.add(slot);
    peak = Math.max(peak, busy.size);
    await turn();
    busy.delete(slot);
    return done;
  });
  expect(peak).toBe(slots);
  expect(slots).toBe(3);
  expect(rowsDone).toBe(4000);
});

test("a slow first chunk does not delay the others", async () => {
  let finishFirst = () => {};
  const first = new Promise<void>((resolve) => {
    finishFirst = resolve;
  });
  let others = 0;
  const { rowsDone, chunks } = await computeWith(async (task) => {
    if (task.kind === "row-chunk" && task.rowStart === 0) await first;
    else if (++others === 39) finishFirst();
    await turn();
    return done;
  });
  expect(chunks).toBe(40);
  expect(rowsDone).toBe(4000);
});

test("if several bad rows are in flight, the first is reported and no task is started", async () => {
  let started = 0;
  const failing = computeWith(async (task) => {
    started++;
    if (task.kind !== "row-chunk") return done;
    // Later chunks fail sooner.
    for (let k = 0; k < 3 - task.rowStart / 100; k++) await turn();
    return {
      ok: false,
      failure: {
        kind: "bad-row",
        row: task.rowStart + 7,
        expected: "finite logits",
        found: "NaN in class 0",
      },
    };
  });
  await expect(failing).rejects.toMatchObject({ code: "ERR_BAD_ROW", row: 7 });
  expect(started).toBe(3);
});

test("a dead worker is an internal error, thrown after the others are drained", async () => {
  let running = 0;
  const failing = computeWith(async (task) => {
    running++;
    await turn();
    if (task.kind === "row-chunk" && task.rowStart === 0)
      throw new Error("worker exited");
    await turn();
    running--;
    return done;
  });
  await expect(failing).rejects.toMatchObject({
    code: "ERR_INTERNAL",
    message: "a worker thread failed: worker exited",
  });
  expect(running).toBe(1);
});

test("an abort starts no task and drains those in flight", async () => {
  const controller = new AbortController();
  let started = 0;
  let ended = 0;
  const aborted = computeWith(async () => {
    if (++started === 5) controller.abort();
    await turn();
    ended++;
    return done;
  }, controller.signal);
  await expect(aborted).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(started).toBeLessThanOrEqual(7);
  expect(ended).toBe(started);
});

test("a full disk during writes of the main thread is an IoError", async () => {
  const full = openSync("/dev/full", "w");
  let running = 0;
  const failing = computeWith(
    async () => {
      running++;
      await turn();
      running--;
      return done;
    },
    undefined,
    full,
  );
  await expect(failing).rejects.toMatchObject({
    code: "ERR_IO",
    message: `${at("out.arrow")}: could not be written: ENOSPC, no space left on its device`,
  });
  expect(running).toBe(0);
  closeSync(full);
});
