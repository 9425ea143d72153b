import { closeSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import { resolveOptions } from "../../src/options/run-options.js";
import { openPending } from "../../src/output/commit.js";
import { planFixed } from "../../src/run/fixed-plan.js";
import { openOptions } from "../../src/run/open-options.js";
import { writeFixed } from "../../src/run/write-fixed.js";
import type { Reply, Task } from "../../src/tasks/run-tasks.js";
import { contextOf, turn, turns } from "../support/run-context.js";
import { runsIn } from "../support/runs.js";

const { write, output } = runsIn();
const input = write({ rows: 4000, classes: 31, logit: (r, k) => r / (k + 1) });
const done: Reply = { ok: true, badRows: [], nulls: [], part: null };
const rowOf = (task: Task) => (task.kind === "copy" ? -1 : task.rowStart);

/** Runs a plan of 40 tasks with `run` instead of a pool of workers. */
async function computeWith(
  run: (task: Task) => Promise<Reply>,
  { signal, fd }: { signal?: AbortSignal; fd?: number } = {},
): Promise<{ rowsDone: number; slots: number }> {
  const options = resolveOptions({ input, output, threads: 2, chunkRows: 100 });
  const logits = await openLogits(input, openOptions(options));
  const plan = planFixed(options, logits);
  const pending = await openPending(output, plan.maxBytes, options);
  const target = { ...pending };
  const context = contextOf(plan, options, logits, target);
  const pool = {
    run: (task: Task) => {
      // Only writes after the head go to `fd`.
      Object.assign(target, fd && { fd });
      return run(task);
    },
  };
  try {
    await writeFixed(plan, { ...context, pool, signal });
  } finally {
    await pending.discard();
    logits.close();
  }
  expect(plan.chunkCount).toBe(40);
  return { rowsDone: context.report.rowsDone, slots: plan.slots };
}

test("a slot has at most one task in flight", async () => {
  const busy = new Set<number>();
  let peak = 0;
  const outcome = await computeWith(async ({ slot }) => {
    expect(busy.has(slot)).toBe(false);
    busy.add(slot);
    peak = Math.max(peak, busy.size);
    await turn();
    busy.delete(slot);
    return done;
  });
  expect(outcome).toEqual({ rowsDone: 4000, slots: 3 });
  expect(peak).toBe(3);
});

test("a slow first chunk does not delay the others", async () => {
  let finishFirst = () => {};
  const first = new Promise<void>((resolve) => {
    finishFirst = resolve;
  });
  let others = 0;
  const { rowsDone } = await computeWith(async (task) => {
    if (rowOf(task) === 0) await first;
    else if (++others === 39) finishFirst();
    await turn();
    return done;
  });
  expect(rowsDone).toBe(4000);
});

test("if several bad rows are in flight, the first is reported and no task is started", async () => {
  let started = 0;
  const failing = computeWith(async (task) => {
    started++;
    // Later chunks fail sooner.
    await turns(3 - rowOf(task) / 100);
    const row = rowOf(task) + 7;
    const failure = { row, expected: "finite logits", found: "NaN in class 0" };
    return { ok: false, failure: { kind: "bad-row", ...failure } };
  });
  await expect(failing).rejects.toMatchObject({ code: "ERR_BAD_ROW", row: 7 });
  expect(started).toBe(3);
});

test("a dead worker is an internal error, thrown after the others are drained", async () => {
  let running = 0;
  const failing = computeWith(async (task) => {
    running++;
    await turn();
    if (rowOf(task) === 0) throw new Error("worker exited");
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
  const stop = new AbortController();
  let [started, ended] = [0, 0];
  const aborted = computeWith(
    async () => {
      if (++started === 5) stop.abort();
      await turn();
      ended++;
      return done;
    },
    { signal: stop.signal },
  );
  await expect(aborted).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(started).toBeLessThanOrEqual(7);
  expect(ended).toBe(started);
});

test("a full disk during writes of the main thread is an IoError", async () => {
  const fd = openSync("/dev/full", "w");
  let running = 0;
  const failing = computeWith(
    async () => {
      running++;
      await turn();
      running--;
      return done;
    },
    { fd },
  );
  await expect(failing).rejects.toMatchObject({
    code: "ERR_IO",
    message: `${output}: could not be written: ENOSPC, no space left on its device`,
  });
  expect(running).toBe(0);
  closeSync(fd);
});
