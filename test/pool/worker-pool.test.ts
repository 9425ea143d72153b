import { expect, test } from "vitest";
import { WorkerPool } from "../../src/pool/worker-pool.js";

test("workers that cannot start reject the tasks that wait for them", async () => {
  // Run from src/, the worker's file is not where the built package has it.
  const workerPool = new WorkerPool();
  const pool = await workerPool.pool(2, {} as never);
  const task = { kind: "copy", slot: 0, rows: 0, target: null } as const;
  const runs = [1, 2, 3].map(() =>
    pool.run({ ...task, columns: [] }).then(
      () => "done",
      () => "rejected",
    ),
  );
  expect(await Promise.all(runs)).toEqual(["rejected", "rejected", "rejected"]);
  await workerPool.close();
});

test("on the main thread others have their turn between two tasks", async () => {
  const workerPool = new WorkerPool();
  const buffer = new SharedArrayBuffer(1 << 16);
  const pool = await workerPool.pool(0, { buffer, memory: null } as never);
  const order: string[] = [];
  setImmediate(() => order.push("another"));
  for (const name of ["first", "second"]) {
    await pool.run({
      kind: "copy",
      slot: 0,
      columns: [],
      target: null,
    });
    order.push(name);
  }
  expect(order).toEqual(["another", "first", "second"]);
});
