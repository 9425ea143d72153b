import { describe, expect, test } from "vitest";
import { clock, progressText, short } from "../../src/cli/log/progress-bar.js";
import { StatusTracker } from "../../src/cli/log/status.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();

const state = {
  ...new StatusTracker().now(),
  rows: 5_000_000,
  rowsDone: 1_250_000,
  rowsPerSecond: 987_654,
  bytesPerSecond: 869e6,
  threads: 8,
  threadsBusy: 7,
  secondsLeft: 3.8,
};

describe("progress line", () => {
  test("shows all figures and a proportional bar if there is space", () => {
    const text = progressText(state, 140);
    expect(text).toBe(
      `${"\u2588".repeat(10)}${"\u2591".repeat(30)}  25%  1.25 M of 5.00 M rows  0:04 left  988 k rows/s  869 MB/s  7 of 8 threads busy`,
    );
  });

  test("shows the shards of a dataset", () => {
    const of = { ...state, shards: 1200, shardsDone: 300 };
    expect(progressText(of, 140)).toContain("300 of 1,200 shards");
    expect(progressText(state, 140)).not.toContain("shards");
  });

  test("is not wider than the terminal and has only complete figures", () => {
    const whole = progressText(state, 200).slice(41).split("  ");
    for (let columns = 1; columns <= 200; columns++) {
      const text = progressText(
        { ...state, shards: 12, shardsDone: 3 },
        columns,
      );
      expect([...text].length).toBeLessThanOrEqual(columns);
      if (columns < 16) continue;
      for (const figure of text.replace(/^\S+ +/, "").split("  "))
        expect([...whole, "25%", "3 of 12 shards"]).toContain(figure.trim());
    }
  });

  test("from 0 % to 100 %", () => {
    const empty = { ...state, rows: 0, rowsDone: 0, secondsLeft: null };
    expect(progressText(empty, 80)).toContain("  0%  0 of 0 rows");
    expect(progressText({ ...state, rowsDone: 5e6 }, 80)).toContain("100%");
    // Only the last row gives 100 %.
    expect(progressText({ ...state, rowsDone: 4_999_999 }, 80)).toContain(
      " 99%",
    );
  });
});

test.each([
  [0, "0"],
  [999, "999"],
  [1000, "1.00 k"],
  [9994, "9.99 k"],
  [99_960, "100 k"],
  [999_499, "999 k"],
  [999_500, "1.00 M"],
  [12_345_678, "12.3 M"],
])("%d in three digits: %s", (value, text) => {
  expect(short(value)).toBe(text);
});

test.each([
  [0, "0:00"],
  [0.2, "0:01"],
  [59.5, "1:00"],
  [200, "3:20"],
  [7400, "2:03:20"],
])("%d seconds on a clock: %s", (value, text) => {
  expect(clock(value)).toBe(text);
});

test.each(["bsr", "csr"] as const)(
  "progress of a run has the bytes of the output and the busy threads (%s)",
  async (layout) => {
    const input = at(`${layout}.arrow`);
    const output = at(`${layout}-out.arrow`);
    await built.generate({ output: input, rows: 20_000, classes: 20 });
    const seen: { bytesDone: number; threads: number; threadsBusy: number }[] =
      [];
    const { outputBytes } = await built.run(
      { input, output, layout, threads: 2, chunkRows: 500 },
      { onProgress: (_, __, pace) => pace && seen.push(pace) },
    );
    expect(seen.length).toBeGreaterThan(20);
    let before = 0;
    for (const { bytesDone, threads, threadsBusy } of seen) {
      expect(bytesDone).toBeGreaterThanOrEqual(before);
      before = bytesDone;
      expect(threads).toBe(2);
      expect(threadsBusy).toBeLessThanOrEqual(2);
    }
    expect(Math.max(...seen.map(({ threadsBusy }) => threadsBusy))).toBe(2);
    // All bytes but the head and tail of the file, and in csr those of the last batch.
    const least = layout === "bsr" ? 0.9 : 0.4;
    expect(before / outputBytes).toBeGreaterThan(least);
    expect(before).toBeLessThanOrEqual(outputBytes);
  },
);
