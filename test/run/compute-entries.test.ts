import { expect, test } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import { resolveOptions } from "../../src/options/run-options.js";
import type { EntriesBatch } from "../../src/run/entries-batches.js";
import { type EntriesRows, planEntries } from "../../src/run/entries-plan.js";
import { openOptions } from "../../src/run/open-options.js";
import { computeEntries } from "../../src/run/write-entries.js";
import type { EntriesTask, Reply } from "../../src/tasks/run-tasks.js";
import { built } from "../support/built.js";
import {
  contextOf,
  type Schedule,
  turn,
  turns,
} from "../support/run-context.js";
import { runsIn, upTo } from "../support/runs.js";

const { write, output } = runsIn();
const shape = { rows: 3000, classes: 12 };
const logit = (r: number, k: number) => Math.sin(r * 12 + k) * (1 + (r % 40));
const input = write({ ...shape, batchRows: [700], logit });

const atOnce: Schedule<EntriesTask> = async (_, run) => run();
const badRow = (row: number): Reply => ({
  ok: false,
  failure: { kind: "bad-row", row, expected: "a", found: "b" },
});

/** Tasks have more rows than fit their slots, and continue often. */
const MANY_ROWS = { slotEntries: 70_000 };

interface Change {
  layout?: "csr" | "coo";
  topK?: number;
  threshold?: number;
  plan?: Partial<EntriesRows>;
  /** Delays the end of each write of a batch. */
  written?: () => Promise<void>;
  signal?: AbortSignal;
  onProgress?: () => void;
}

/** Runs computeEntries with tasks executed by `schedule`, and returns what was written, in order. */
async function computeWith(
  schedule: Schedule<EntriesTask>,
  { layout = "csr", written = turn, ...change }: Change = {},
) {
  const { topK, threshold = 1e-6, signal, onProgress = () => {} } = change;
  const options = resolveOptions({
    ...{ input, output, layout, emit: ["jacobian"], threads: 3, chunkRows: 50 },
    ...(topK === undefined ? { threshold } : { topK }),
  });
  const logits = await openLogits(input, openOptions(options));
  const plan = planEntries(options, logits, layout);
  // Batches of a few KiB, and slots too small for some tasks.
  plan.setup.capacity = 700;
  Object.assign(plan, { batchEntries: 640, slotEntries: 700, ...change.plan });
  const reportWritten = () => {};
  const target = { fd: -1, direct: -1, compare: false, reportWritten };
  const context = contextOf(plan, options, logits, target, schedule);
  const values: number[] = [];
  const rows: number[] = [];
  const batches: number[] = [];
  const write = async (batch: EntriesBatch) => {
    // A slow disk: later tasks must not overwrite bytes that are being written.
    const copy = snapshot(batch);
    await written();
    expect(snapshot(batch)).toEqual(copy);
    values.push(...copy.values);
    rows.push(...copy.rows);
    batches.push(batch.rows);
  };
  try {
    await computeEntries(plan, { ...context, signal, onProgress }, write);
  } finally {
    logits.close();
  }
  const { droppedMax, droppedSum } = context.report.finish("done");
  return { values, rows, batches, droppedMax, droppedSum, slots: plan.slots };
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
    const expected = await computeWith(atOnce, { layout });
    let release = () => {};
    const firstMayEnd = new Promise<void>((resolve) => {
      release = resolve;
    });
    let held = true;
    const busy = new Set<number>();
    const order: number[] = [];
    const slow = await computeWith(
      async (task, run) => {
        if (held) {
          // No slot is free before the first task ends.
          expect(busy.has(task.slot)).toBe(false);
          busy.add(task.slot);
          if (task.rowStart === 0) await firstMayEnd;
        }
        order.push(task.rowStart);
        // Every other slot holds a finished task.
        if (order.length === 3 * 2) {
          await turns(5);
          held = false;
          release();
        }
        return run();
      },
      { layout },
    );
    expect(busy.size).toBe(slow.slots);
    expect(order.indexOf(0)).toBe(slow.slots - 1);
    expect(slow).toEqual(expected);
    expect(slow.values.length).toBeGreaterThan(10_000);
  },
);

test.each(
  (["csr", "coo"] as const).flatMap((layout) =>
    [3e-3, 7e-7, 1e-10].map((threshold) => ({ layout, threshold })),
  ),
)(
  "entries equal the in-memory ones, also if examples continue in the next slot: %j",
  async (choice) => {
    const logits = Float64Array.from(upTo(shape.rows * shape.classes), (n) =>
      logit(Math.floor(n / shape.classes), n % shape.classes),
    );
    const { threshold } = choice;
    const given = { ...shape, threshold };
    const expected = built.softmaxJacobianEntries(logits, given);
    const plan = MANY_ROWS;
    const found = await computeWith(atOnce, { ...choice, plan });
    expect(found.values).toEqual([...expected.values]);
    expect(found.droppedMax).toBe(Math.max(...expected.droppedMax));
    const sum = expected.droppedSum.reduce((sum, x) => sum + x, 0);
    expect((found.droppedSum ?? 0) / sum).toBeCloseTo(1, 12);
  },
);

test("csr: a record batch has as many whole examples as fit, up to batchExamples", async () => {
  const full = await computeWith(atOnce, { topK: 10 });
  // 640 entries, 10 per example.
  expect(full.batches).toEqual([...Array(46).fill(64), 3000 - 46 * 64]);
  const plan = { batchExamples: 30 };
  const few = await computeWith(atOnce, { topK: 10, plan });
  expect(few.batches).toEqual(Array(100).fill(30));
  expect(few.values).toEqual(full.values);
});

test.each([
  ["later ones", (rowStart: number) => rowStart >= 100],
  ["the first one", (rowStart: number) => rowStart === 0],
])(
  "if %s fail, the first failed row is reported after tasks in flight are drained",
  async (_, isFailing) => {
    let running = 0;
    let first = Number.POSITIVE_INFINITY;
    const failing = computeWith(async ({ rowStart }, run) => {
      running++;
      if (!isFailing(rowStart)) await turns(20);
      running--;
      if (!isFailing(rowStart)) return run();
      first = Math.min(first, rowStart + 1);
      return badRow(rowStart + 1);
    });
    const error = await failing.catch((error) => error);
    expect(error).toMatchObject({ code: "ERR_BAD_ROW", row: first });
    expect(running).toBe(0);
  },
);

test("if a task fails, the write in progress is finished before it is reported", async () => {
  let [begun, writing] = [0, 0];
  const failing = computeWith(
    async (_, run) => {
      if (begun === 0) return run();
      throw new Error("worker exited");
    },
    {
      written: async () => {
        begun++;
        writing++;
        await turns(20);
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
    { threshold: 0, plan: MANY_ROWS, signal: stop.signal },
  );
  await expect(aborted).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(parts).toBe(1);
});

test("onProgress is called after each part of a task; its error ends the run unchanged", async () => {
  let [parts, calls] = [0, 0];
  const counted: Schedule<EntriesTask> = async (_, run) => {
    parts++;
    return run();
  };
  const plan = MANY_ROWS;
  const choice = { layout: "coo", threshold: 0, plan } as const;
  await computeWith(counted, { ...choice, onProgress: () => calls++ });
  expect(parts).toBeGreaterThan(3000 / 50);
  expect(calls).toBe(parts);
  const own = new Error("mine");
  const onProgress = () => {
    if (++calls === parts + 3) throw own;
  };
  const failing = computeWith(atOnce, { layout: "coo", onProgress });
  await expect(failing).rejects.toBe(own);
  expect(calls).toBe(parts + 3);
});
