import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { expect, test } from "vitest";
import { planEntriesTable } from "../../src/counted/plan-entries-table.js";
import { writeCounted } from "../../src/counted/write-counted.js";
import { openLogits } from "../../src/input/open-logits.js";
import {
  openOptionsOf,
  type RunOptions,
  resolveOptions,
} from "../../src/options.js";
import {
  type EntriesJob,
  planEntriesJob,
} from "../../src/ordered/entries-job.js";
import { writeEntries } from "../../src/ordered/write-entries.js";
import type { CountTask, StoreTask } from "../../src/pool/protocol.js";
import type { RunReport } from "../../src/report.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import {
  contextOf,
  type Schedule as ScheduleOf,
  turn,
} from "../support/run-context.js";

const at = workDirectory();
const input = at("in.arrow");
/** Half of the rows, for what is written five times. */
const short = at("short.arrow");
for (const [path, rows] of [
  [input, 2000],
  [short, 1000],
] as const)
  writeLogits(path, {
    rows,
    classes: 12,
    batchRows: [350],
    logit: (r, k) => Math.sin(r * 12 + k) * (1 + (r % 40)),
  });

type Schedule = ScheduleOf<CountTask | StoreTask>;

interface Change extends Partial<RunOptions> {
  /** Entries of a record batch. */
  batchEntries?: number;
  onProgress?: () => void;
  signal?: AbortSignal;
}

const atOnce: Schedule = async (_, run) => run();

/** A run over entries, counted or in order, with tasks carried out when the test says. */
async function write(
  kind: "counted" | "ordered",
  schedule: Schedule,
  change: Change = {},
): Promise<{ bytes: Buffer; report: RunReport; slots: number }> {
  const { batchEntries, onProgress, signal, ...more } = change;
  const output = at("out.arrow");
  const options = resolveOptions({
    input,
    output,
    layout: "coo",
    ...(more.topK ? {} : { threshold: 1e-6 }),
    threads: 3,
    chunkRows: 50,
    ...more,
  });
  const logits = await openLogits(options.input, openOptionsOf(options));
  const job = planEntriesJob(options, logits, "coo", kind === "ordered");
  if (batchEntries) setBatch(job, batchEntries);
  writeFileSync(output, "");
  const fd = openSync(output, constants.O_RDWR);
  const target = { fd, direct: -1, compare: false, wrote: () => {} };
  const context = contextOf(job, options, logits, target, schedule);
  Object.assign(context, { signal }, onProgress && { onProgress });
  try {
    const write = kind === "counted" ? writeCounted : writeEntries;
    const writeEnd = await write(job, context);
    await writeEnd();
    const report = context.report.finish("done");
    expect(report.outputBytes).toBe(fstatSync(fd).size);
    return { bytes: readFileSync(output), report, slots: job.plan.slots };
  } finally {
    logits.close();
    closeSync(fd);
  }
}

/** Batches of a few KiB, and columns that are written every few rows. */
function setBatch(job: EntriesJob, batchEntries: number): void {
  Object.assign(job.plan, { batchEntries });
  job.setup.capacity = Math.min(job.setup.capacity, 700);
  if (!job.table) return;
  const { rows } = job.slot.entries;
  job.table = planEntriesTable(job.file, batchEntries, rows, job.columns);
  job.setup.table = job.table;
}

const choices: [string, Change][] = [
  ["batches of many groups", { batchEntries: 32_000 }],
  ["groups of many batches", { batchEntries: 640 }],
  ["one batch, which is not full", { batchEntries: 2 ** 20 }],
  ["no entry", { threshold: 1, batchEntries: 640 }],
  [
    "the largest, with values of their examples",
    {
      topK: 3,
      emit: ["dropped_sum", "jacobian", "confidence", "argmax"],
      batchEntries: 640,
    },
  ],
  ["float32", { dtype: "float32", batchEntries: 6400 }],
  // 1000 rows with 4 entries each, and a last batch that is full
  ["batches that come out even", { topK: 4, batchEntries: 1000 }],
];

test.each(choices)(
  "%s: the same bytes as in order, whatever ends first",
  async (_, more) => {
    const change = { input: short, chunkRows: 25, ...more };
    const expected = await write("ordered", atOnce, change);
    const found = await write("counted", atOnce, change);
    expect(found.bytes.equals(expected.bytes)).toBe(true);
    const { durationMs, rowsPerSecond, peakMemoryBytes, ...same } =
      expected.report;
    expect(found.report).toMatchObject(same);
    for (const seed of [7, 11, 5]) {
      let n = 0;
      const mixed = await write(
        "counted",
        async (_, run) => {
          for (let turns = (n++ * seed) % 13; turns > 0; turns--) await turn();
          return run();
        },
        change,
      );
      expect(mixed.bytes.equals(expected.bytes)).toBe(true);
      expect(mixed.report).toMatchObject(same);
    }
  },
);

test("a block of more than one task's bytes goes on where it stopped", async () => {
  const large = at("large.arrow");
  writeLogits(large, {
    rows: 2,
    classes: 1200,
    logit: (r, k) => Math.sin(k * (r + 1)),
  });
  const change = { input: large, threshold: 0 };
  const expected = await write("ordered", atOnce, change);
  const stores: StoreTask[] = [];
  const found = await write(
    "counted",
    async (task, run) => {
      if (task.kind === "store") stores.push(task);
      return run();
    },
    change,
  );
  expect(found.bytes.equals(expected.bytes)).toBe(true);
  expect(found.report.entries).toBe(2 * 1200 * 1200);
  expect(stores.some(({ from }) => from.i > 0)).toBe(true);
});

test("a task ends after so many entries, and there is a sign of life after each", async () => {
  const equal = at("equal.arrow");
  writeLogits(equal, { rows: 1, classes: 2500, logit: () => 0 });
  let stores = 0;
  let calls = 0;
  const { report } = await write(
    "counted",
    async (task, run) => {
      if (task.kind === "store") stores++;
      return run();
    },
    { input: equal, topK: 6_000_000, onProgress: () => calls++ },
  );
  expect(report.entries).toBe(6_000_000);
  // 24 bytes each, in tasks of 32 MiB
  expect(stores).toBeGreaterThanOrEqual(4);
  expect(calls).toBe(stores);
});

test("no more slots are in use than there are, each by one task at a time; a slow first count holds back all stores", async () => {
  let release = () => {};
  const firstMayEnd = new Promise<void>((resolve) => {
    release = resolve;
  });
  const busy = new Set<number>();
  let stores = 0;
  let counts = 0;
  const { slots } = await write("counted", async (task, run) => {
    expect(busy.has(task.slot)).toBe(false);
    busy.add(task.slot);
    if (task.kind === "store") stores++;
    else if (counts++ === 0) {
      await firstMayEnd;
      expect(stores).toBe(0);
    } else if (counts === slotsOf(3)) {
      for (let n = 0; n < 20; n++) await turn();
      release();
    }
    const reply = run();
    busy.delete(task.slot);
    return reply;
  });
  expect(slots).toBe(slotsOf(3));
  expect(stores).toBeGreaterThan(slots);
});

const slotsOf = (threads: number) => 2 * threads + 1;

test("of failing counts the first in row order is told; those in flight are drained, nothing new begins", async () => {
  let running = 0;
  let begun = 0;
  const failing = write("counted", async (task, run) => {
    begun++;
    running++;
    const fails = task.kind === "count" && task.rowStart >= 100;
    // the later, the sooner
    for (let n = 30 - task.rowStart / 10; n > 0; n--) await turn();
    running--;
    if (!fails) return run();
    const row = task.rowStart + 1;
    return {
      ok: false,
      failure: { kind: "bad-row", row, expected: "a", found: "b" },
    };
  });
  await expect(failing).rejects.toMatchObject({
    code: "ERR_BAD_ROW",
    row: 101,
  });
  expect(running).toBe(0);
  expect(begun).toBeLessThanOrEqual(slotsOf(3) + 2);
});

test("a worker that dies while it stores is an internal error, after the others are drained", async () => {
  let running = 0;
  let stores = 0;
  const failing = write("counted", async (task, run) => {
    running++;
    await turn();
    if (task.kind === "store" && stores++ === 4) {
      running--;
      throw new Error("worker exited");
    }
    await turn();
    running--;
    return run();
  });
  await expect(failing).rejects.toMatchObject({
    code: "ERR_INTERNAL",
    message: "a worker thread failed: worker exited",
  });
  expect(running).toBe(0);
  expect(stores).toBeLessThanOrEqual(4 + slotsOf(3));
});

test("a full disk that a worker meets is told of", async () => {
  const failing = write("counted", async (task, run) =>
    task.kind === "count"
      ? run()
      : {
          ok: false,
          failure: {
            kind: "io",
            side: "output",
            code: "ENOSPC",
            message: "ENOSPC",
          },
        },
  );
  await expect(failing).rejects.toMatchObject({
    code: "ERR_IO",
    message: `${at("out.arrow")}: could not be written: ENOSPC, no space left on its device`,
  });
});

test("an abort is heard between two tasks of a slot; what is in flight ends", async () => {
  const stop = new AbortController();
  let running = 0;
  let begun = 0;
  let after = 0;
  const aborted = write(
    "counted",
    async (_, run) => {
      if (stop.signal.aborted) after++;
      if (++begun === 9) stop.abort();
      running++;
      await turn();
      running--;
      return run();
    },
    { signal: stop.signal },
  );
  await expect(aborted).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(running).toBe(0);
  expect(after).toBe(0);
});

test("what the caller's onProgress throws is the caller's, and ends the run", async () => {
  const own = new Error("mine");
  let calls = 0;
  const failing = write("counted", atOnce, {
    onProgress: () => {
      if (++calls === 3) throw own;
    },
  });
  await expect(failing).rejects.toBe(own);
  expect(calls).toBe(3);
});
