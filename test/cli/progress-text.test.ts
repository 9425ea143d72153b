import { expect, test, vi } from "vitest";
import { progressText, StatusTracker } from "../../src/cli/log/status.js";
import type { RunProgress } from "../../src/index.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const state = {
  ...new StatusTracker().now(),
  ...{ rows: 5_000_000, rowsDone: 1_250_000, rowsPerSecond: 987_654 },
  ...{ bytesPerSecond: 869e6, threads: 8, threadsBusy: 7, secondsLeft: 3.8 },
  memoryBytes: 91.2e6,
};
const ofDataset = { ...state, shards: 1200, shardsDone: 300 };

const FIGURES = [
  " 25%",
  "1,250,000 of 5,000,000 rows",
  "3.8 s left",
  "300 of 1,200 shards",
  "987,654 rows/s",
  "869 MB/s",
  "7 of 8 threads busy",
  "91.2 MB of memory",
];

test("shows all figures and a proportional bar if there is space", () => {
  const bar = "\u2588".repeat(10) + "\u2591".repeat(30);
  const ofRun = FIGURES.filter((figure) => !/shards/.test(figure));
  expect(progressText(state, 160)).toBe(`${bar} ${ofRun.join("  ")}`);
  expect(progressText(ofDataset, 200)).toBe(`${bar} ${FIGURES.join("  ")}`);
});

test("is not wider than the terminal and has only complete figures", () => {
  for (let columns = 1; columns <= 220; columns++) {
    const text = progressText(ofDataset, columns);
    expect([...text].length).toBeLessThanOrEqual(columns);
    if (columns < 16) continue;
    const figures = text.replace(/^\S+ +/, " ").split("  ");
    expect(figures).toEqual(FIGURES.slice(0, figures.length));
  }
});

test.each([
  [{ rows: 0, rowsDone: 0, secondsLeft: null }, "  0%  no rows yet"],
  [{ rowsDone: 5e6 }, "100%"],
  // Only the last row gives 100 %.
  [{ rowsDone: 4_999_999 }, " 99%"],
])("%j: %s", (more, text) => {
  expect(progressText({ ...state, ...more }, 80)).toContain(text);
});

test("rates begin when the input is open, before the first rows are done", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const tracker = new StatusTracker();
  vi.advanceTimersByTime(5000);
  const logits = { column: null, classes: 2, type: "float64" } as const;
  const names = { firstClass: null, lastClass: null };
  tracker.event({ event: "logits", ...logits, ...names });
  vi.advanceTimersByTime(2000);
  tracker.progress(600, 900);
  const { rowsPerSecond, secondsLeft } = tracker.now();
  vi.useRealTimers();
  expect([rowsPerSecond, secondsLeft]).toEqual([300, 1]);
});

test.each([
  // All bytes but the head and tail of the file, and in csr those of the last batch.
  ["bsr", 0.9],
  ["csr", 0.4],
] as const)(
  "progress has the bytes and the busy threads of a run (%s)",
  async (layout, least) => {
    const input = at(`${layout}.arrow`);
    const output = at(`${layout}-out.arrow`);
    await built.generate({ output: input, rows: 20_000, classes: 20 });
    const seen: RunProgress[] = [];
    const { outputBytes } = await built.run(
      { input, output, layout, threads: 2, chunkRows: 500 },
      { onProgress: (_, __, state) => state && seen.push(state) },
    );
    expect(seen.length).toBeGreaterThan(20);
    const bytes = seen.map(({ bytesDone }) => bytesDone);
    expect(bytes).toEqual(bytes.toSorted((a, b) => a - b));
    expect(new Set(seen.map(({ threads }) => threads))).toEqual(new Set([2]));
    expect(Math.max(...seen.map(({ threadsBusy }) => threadsBusy))).toBe(2);
    const share = Math.max(...bytes) / outputBytes;
    expect(share).toBeGreaterThan(least);
    expect(share).toBeLessThanOrEqual(1);
  },
);
