import { expect, test } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import { resolveOptions } from "../../src/options/run-options.js";
import type { EntriesBatch } from "../../src/run/entries-batches.js";
import { planEntries } from "../../src/run/entries-plan.js";
import type { EntriesRows } from "../../src/run/entries-rows.js";
import { openOptions } from "../../src/run/open-options.js";
import { computeEntries } from "../../src/run/write-entries.js";
import type { EntriesTask, Reply } from "../../src/tasks/run-tasks.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { contextOf, type Schedule, turn } from "../support/run-context.js";

const at = workDirectory();
const input = at("in.arrow");
const shape = { rows: 3000, classes: 12 };
const logit = (r: number, k: number) => Math.sin(r * 12 + k) * (1 + (r % 40));
writeLogits(input, { ...shape, batchRows: [700], logit });

interface Change {
  topK?: number;
  threshold?: number;
  plan?: Partial<EntriesRows>;
  /** Delays the end of each write of a batch. */
  written?: () => Promise<void>;
  signal?: AbortSignal;
  onProgress?: () => void;
}

interface Done {
  values: number[];
  rows: number[];
  /** Rows of each record batch. */
  batches: number[];
  dropped: { max: number | null; sum: number | null };
  slots: number;
}

/** Runs computeEntries with tasks executed by `schedule`, and returns what was written, in order. */
async function computeWith(
  schedule: Schedule<EntriesTask>,
  layout: "csr" | "coo" = "csr",
  {
    topK,
    threshold = 1e-6,
    plan,
    written = turn,
    signal,
    onProgress = () => {},
  }: Change = {},
): Promise<Done> {
  const options = resolveOptions({
    input,
    output: at("out.arrow"),
    layout,
    emit: ["jacobian"],
    ...(topK === undefined ? { threshold } : { topK }),
    threads: 3,
    chunkRows: 50,
  });
  const logits = await openLogits(input, openOptions(options));
  try {
    const job = planEntries(options, logits, layout);
    // Batches of a few KiB, and slots too small for some tasks.
    job.setup.capacity = 700;
    Object.assign(job, { batchEntries: 640, slotEntries: 700, ...plan });
    const output = {
      fd: -1,
      direct: -1,
      compare: false,
      reportWritten: () => {},
    };
    const context = contextOf(job, options, logits, output, schedule);
    const values: number[] = [];
    const rows: number[] = [];
    const batches: number[] = [];
    await computeEntries(
      job,
      { ...context, signal, onProgress },
      async (batch) => {
        // A slow disk: later tasks must not overwrite bytes that are being written.
        const copy = snapshot(batch);
        await written();
        expect(snapshot(batch)).toEqual(copy);
        values.push(...copy.values);
        rows.push(...copy.rows);
        batches.push(batch.rows);
      },
    );
    const { report } = context;
    const { droppedMax, droppedSum } = report.finish("done");
    const dropped = { max: droppedMax, sum: droppedSum };
    return { values, rows, batches, dropped, slots: job.slots };
  } finally {
    logits.close();
  }
}

function snapshot({ row, columns }: EntriesBatch) {
  const column = columns.find(({ shape }) => shape.width === 8)?.values;
  const floats = column?.slice().buffer as ArrayBuffer;
  return {
    rows: [...new BigInt64Array(row.slice().buffer)].map(Number),
    values: [...new Float64Array(floats)],
  };
}

test.each(["csr", "coo"] as const)(
  "%s: rows after a slow first task wait in their slots",
  async (layout) => {
    const atOnce = await computeWith(async (_, run) => run(), layout);
    let release = () => {};
    const firstMayEnd = new Promise<void>((resolve) => {
      release = resolve;
    });
    let held = true;
    const busy = new Set<number>();
    const order: number[] = [];
    const slow = await computeWith(async (task, run) => {
      if (held) {
        // No slot is free before the first task ends.
        expect(busy.has(task.slot)).toBe(false);
        busy.add(task.slot);
        if (task.rowStart === 0) await firstMayEnd;
      }
      order.push(task.rowStart);
      // Every other slot holds a finished task.
      if (order.length === 3 * 2) {
        for (let n = 0; n < 5; n++) await turn();
        held = false;
        release();
      }
      return run();
    }, layout);
    expect(busy.size).toBe(slow.slots);
    expect(order.indexOf(0)).toBe(slow.slots - 1);
    expect(slow).toEqual(atOnce);
    expect(slow.values.length).toBeGreaterThan(10_000);
  },
);

test.each(["csr", "coo"] as const)(
  "%s: entries equal the in-memory ones, also if examples continue in the next slot",
  async (layout) => {
    const logits = Float64Array.from(
      { length: shape.rows * shape.classes },
      (_, n) => logit(Math.floor(n / shape.classes), n % shape.classes),
    );
    for (const threshold of [3e-3, 7e-7, 1e-10]) {
      const expected = built.softmaxJacobianEntries(logits, {
        ...shape,
        threshold,
      });
      const found = await computeWith(async (_, run) => run(), layout, {
        threshold,
        // Tasks have more rows than fit, and continue often.
        plan: { slotEntries: 70_000 },
      });
      expect(found.values).toEqual([...expected.values]);
      expect(found.dropped.max).toBe(Math.max(...expected.droppedMax));
      const sum = expected.droppedSum.reduce((sum, x) => sum + x, 0);
      expect((found.dropped.sum ?? 0) / sum).toBeCloseTo(1, 12);
    }
  },
);

test("csr: a record batch has as many whole examples as fit, up to batchExamples", async () => {
  const atOnce = async (_: EntriesTask, run: () => Reply) => run();
  const full = await computeWith(atOnce, "csr", { topK: 10 });
  // 640 entries, 10 per example.
  expect(full.batches).toEqual([...Array(46).fill(64), 3000 - 46 * 64]);
  const few = await computeWith(atOnce, "csr", {
    topK: 10,
    plan: { batchExamples: 30 },
  });
  expect(few.batches).toEqual(Array(100).fill(30));
  expect(few.values).toEqual(full.values);
});

test("tasks that end in any order are written in row order", async () => {
  const atOnce = await computeWith(async (_, run) => run());
  expect(atOnce.rows).toEqual(Array.from({ length: 3000 }, (_, r) => r));
  let n = 0;
  const mixed = await computeWith(async (_, run) => {
    for (let turns = (n++ * 7) % 5; turns > 0; turns--) await turn();
    return run();
  });
  expect(mixed).toEqual(atOnce);
});

test("if two tasks fail, the first in row order is reported after tasks in flight are drained", async () => {
  let running = 0;
  let first = Number.POSITIVE_INFINITY;
  const failing = computeWith(async (task, run) => {
    running++;
    if (task.rowStart < 100) for (let n = 0; n < 20; n++) await turn();
    running--;
    const row = task.rowStart + 1;
    if (task.rowStart >= 100) first = Math.min(first, row);
    return task.rowStart >= 100
      ? {
          ok: false,
          failure: { kind: "bad-row", row, expected: "a", found: "b" },
        }
      : run();
  });
  const error = await failing.catch((error) => error);
  expect(error).toMatchObject({ code: "ERR_BAD_ROW", row: first });
  expect(running).toBe(0);
});

test("if the first task fails, later ones are drained before it is reported", async () => {
  let running = 0;
  const failing = computeWith(async (task, run) => {
    running++;
    if (task.rowStart > 0) for (let n = 0; n < 20; n++) await turn();
    running--;
    return task.rowStart > 0
      ? run()
      : {
          ok: false,
          failure: { kind: "bad-row", row: 0, expected: "a", found: "b" },
        };
  });
  await expect(failing).rejects.toMatchObject({ code: "ERR_BAD_ROW", row: 0 });
  expect(running).toBe(0);
});

test("if a task fails, the write in progress is finished before it is reported", async () => {
  let writing = 0;
  let begun = 0;
  const failing = computeWith(
    async (_, run) => {
      if (begun === 0) return run();
      throw new Error("worker exited");
    },
    "csr",
    {
      written: async () => {
        begun++;
        writing++;
        for (let n = 0; n < 20; n++) await turn();
        writing--;
      },
    },
  );
  await expect(failing).rejects.toMatchObject({ code: "ERR_INTERNAL" });
  expect(begun).toBeGreaterThan(0);
  expect(writing).toBe(0);
});

test("a task in several parts can be aborted between two of them", async () => {
  const stop = new AbortController();
  let parts = 0;
  const aborted = computeWith(
    async (task, run) => {
      if (task.rowStart > 0) return run();
      parts++;
      stop.abort();
      return run();
    },
    "csr",
    { threshold: 0, signal: stop.signal },
  );
  await expect(aborted).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(parts).toBe(1);
});

test("onProgress is called after each part of a task", async () => {
  let parts = 0;
  let calls = 0;
  await computeWith(
    async (_, run) => {
      parts++;
      return run();
    },
    "coo",
    { threshold: 0, onProgress: () => calls++ },
  );
  expect(parts).toBeGreaterThan(3000 / 50);
  expect(calls).toBe(parts);
});

test("an error thrown by onProgress ends the run and is thrown unchanged", async () => {
  const own = new Error("mine");
  let calls = 0;
  const failing = computeWith(async (_, run) => run(), "coo", {
    onProgress: () => {
      if (++calls === 3) throw own;
    },
  });
  await expect(failing).rejects.toBe(own);
  expect(calls).toBe(3);
});

test.each(["input", "output"] as const)(
  "a system error of a worker names the %s",
  async (side) => {
    const failing = computeWith(async () => ({
      ok: false,
      failure: { kind: "io", side, code: "ENOSPC" },
    }));
    await expect(failing).rejects.toMatchObject({
      code: "ERR_IO",
      message:
        side === "output"
          ? `${at("out.arrow")}: could not be written: ENOSPC, no space left on its device`
          : expect.stringContaining(`${input}: could not be read: ENOSPC`),
    });
  },
);
