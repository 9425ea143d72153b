import { expect, test, vi } from "vitest";
import { WorkerPool } from "../../src/pool/worker-pool.js";
import { run } from "../../src/run/run.js";
import { allocateKernelMemory } from "../../src/tasks/kernel-memory.js";
import type { Task } from "../../src/tasks/run-tasks.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
const task: Task = { kind: "copy", slot: 0, columns: [], target: null };

test("workers that cannot start reject the tasks that wait for them", async () => {
  // Run from src/, the worker's file is not where the built package has it.
  const workerPool = new WorkerPool();
  const pool = await workerPool.pool(2, {} as never);
  const runs = await Promise.allSettled([1, 2, 3].map(() => pool.run(task)));
  expect(runs.map(({ status }) => status)).toEqual(runs.map(() => "rejected"));
  await workerPool.close();
});

test("on the main thread, other work is done between two tasks", async () => {
  const buffer = new SharedArrayBuffer(1 << 16);
  const context = { buffer, memory: null } as never;
  const pool = await new WorkerPool().pool(0, context);
  const order: string[] = [];
  setImmediate(() => order.push("another"));
  for (const name of ["first", "second"]) {
    await pool.run(task);
    order.push(name);
  }
  expect(order).toEqual(["another", "first", "second"]);
});

test("a long task on the main thread is computed in steps, between which other work is done", async () => {
  const [input, output] = [at("steps.arrow"), at("steps-out.arrow")];
  writeLogits(input, { rows: 2, classes: 600, logit: (r, k) => (r * k) % 7 });
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  // Each look at the clock finds that a step is over. The pause takes another turn.
  let now = 0;
  const turnsOfLooks = new Set<number>();
  vi.spyOn(performance, "now").mockImplementation(() => {
    turnsOfLooks.add(turns);
    now += 100;
    return now;
  });
  // Run from src/, the kernel's file is not where the built package has it.
  vi.spyOn(WorkerPool.prototype, "memory").mockImplementation((bytes) =>
    allocateKernelMemory(bytes, "plain"),
  );
  const options = { input, output, threads: 1, chunkRows: 2 };
  const report = await run(options, { mainThread: true });
  isDone = true;
  vi.restoreAllMocks();
  expect(report).toMatchObject({ threads: 0, rows: 2 });
  // Two blocks of 2.9 MB, in tiles of 1 MiB.
  expect(turnsOfLooks.size).toBeGreaterThanOrEqual(6);
});
