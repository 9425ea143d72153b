import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
const ROWS = 60_000;
const CLASSES = 3;
const CHUNK_ROWS = 300;
/** Row of the last task, which is computed long after the first task is done. */
const LATE = 59_990;

/** Overwrites the logits of a row. */
function overwrite(path: string, row: number, logits: number[]): void {
  const bytes = readFileSync(path);
  const first = Buffer.from(Float64Array.of(0.5, 1.5, 2.5).buffer);
  const start = bytes.indexOf(first);
  expect(start).toBeGreaterThan(0);
  const values = Buffer.from(Float64Array.from(logits).buffer);
  // Written in place, because workers are reading the rows around it.
  const fd = openSync(path, "r+");
  writeSync(fd, values, 0, values.byteLength, start + row * values.byteLength);
  closeSync(fd);
}

/** Runs, and calls `change` once the first task is done. */
async function runOverChange(
  bad: (row: number) => boolean,
  change: (input: string) => void,
  options: Partial<RunOptions> = {},
) {
  const input = at("in.arrow");
  writeLogits(input, {
    rows: ROWS,
    classes: CLASSES,
    logit: (r, k) => (bad(r) && k === 1 ? Number.NaN : (r % 7) + k + 0.5),
  });
  let isChanged = false;
  const onProgress = (rowsDone: number) => {
    // No rows are done during the scan for bad rows.
    if (rowsDone === 0 || isChanged) return;
    isChanged = true;
    change(input);
  };
  const output = at("out.arrow");
  rmSync(output, { force: true });
  const outcome = await built
    .run(
      { input, output, onBadRow: "skip", chunkRows: CHUNK_ROWS, ...options },
      { onProgress },
    )
    .catch((error) => error);
  const left = readdirSync(dirname(output)).filter((f) => /out/.test(f));
  return { outcome, left, input };
}

const BAD = [1, Number.NaN, 2];
const GOOD = [1, 2, 3];
const CHANGED = `rows from ${LATE - (LATE % CHUNK_ROWS)}: the bad rows are not those found before: the file changed while it was read`;

for (const threads of [1, 2])
  test.each([
    ["a good row becomes bad", [], [[LATE, BAD]]],
    ["a row that was bad is good", [LATE], [[LATE, GOOD]]],
    [
      "another row is bad, as many as before",
      [LATE],
      [
        [LATE, GOOD],
        [LATE + 1, BAD],
      ],
    ],
    ["one more behind one that is known", [LATE], [[LATE + 5, BAD]]],
  ] as [string, number[], [number, number[]][]][])(
    `bad rows left out, the file changes in between: %s (${threads} threads)`,
    async (_, bad, changes) => {
      const { outcome, left, input } = await runOverChange(
        (r) => bad.includes(r),
        (input) => {
          for (const [row, logits] of changes) overwrite(input, row, logits);
        },
        { threads },
      );
      expect(outcome).toMatchObject({
        code: "ERR_INPUT_FORMAT",
        message: `${input}: ${CHANGED}`,
        report: { threads },
      });
      expect(left).toEqual([]);
    },
  );

test.each(["error", "skip"] as const)(
  "rewriting half of the file during a run publishes nothing, although no row becomes bad (--on-bad-row %s)",
  async (onBadRow) => {
    const { outcome, left, input } = await runOverChange(
      () => false,
      (input) => {
        utimesSync(input, 0, 0);
        for (const row of [ROWS / 2, LATE + 1]) overwrite(input, row, GOOD);
      },
      { onBadRow },
    );
    expect(outcome).toMatchObject({
      code: "ERR_INPUT_CHANGED",
      message: expect.stringContaining(
        `${input}: changed while it was read (modified `,
      ),
      report: { rowsDone: ROWS, status: "failed" },
    });
    expect(left).toEqual([]);
  },
);

test.each(["bsr", "coo"] as const)(
  "%s: truncating the input during a run fails, and writes no zeros to the output",
  async (layout) => {
    const { outcome, left, input } = await runOverChange(
      () => false,
      (input) => truncateSync(input, statSync(input).size / 2),
      { layout, onBadRow: "error" },
    );
    expect(outcome).toMatchObject({ code: "ERR_INPUT_FORMAT" });
    expect(outcome.message.replace(/\d+/g, "N")).toBe(
      `${input}: values: expected N bytes at byte N, found N: the file ends there (was it truncated while it was read?)`.replace(
        /\d+/g,
        "N",
      ),
    );
    expect(left).toEqual([]);
  },
);
