import fs from "node:fs";
import { expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { runsIn } from "../support/runs.js";

const { run, write, files, input, output } = runsIn();
const ROWS = 60_000;
const CHUNK_ROWS = 300;
/** Row of the last task, which is computed long after the first task is done. */
const LATE = 59_990;
const BAD = [1, Number.NaN, 2];
const GOOD = [1, 2, 3];

/** Overwrites the logits of a row in place, because workers are reading the rows around it. */
function overwrite(row: number, logits: number[]): void {
  const first = Buffer.from(Float64Array.of(0.5, 1.5, 2.5).buffer);
  const start = fs.readFileSync(input).indexOf(first);
  expect(start).toBeGreaterThan(0);
  const values = Buffer.from(Float64Array.from(logits).buffer);
  const { byteLength } = values;
  const fd = fs.openSync(input, "r+");
  fs.writeSync(fd, values, 0, byteLength, start + row * byteLength);
  fs.closeSync(fd);
}

/** Runs, calls `change` once the first task is done, and expects an error and no output. */
async function failsAfter(
  change: () => void,
  options: Partial<RunOptions>,
  bad: number[] = [],
): Promise<Error> {
  const logit = (r: number, k: number) =>
    bad.includes(r) && k === 1 ? Number.NaN : (r % 7) + k + 0.5;
  write({ rows: ROWS, classes: 3, logit });
  let isChanged = false;
  const onProgress = (rowsDone: number) => {
    // No rows are done during the scan for bad rows.
    if (rowsDone === 0 || isChanged) return;
    isChanged = true;
    change();
  };
  fs.rmSync(output, { force: true });
  const given = { force: false, chunkRows: CHUNK_ROWS, ...options };
  const failed = await run(given, { onProgress }).catch((error) => error);
  expect(files(/out/)).toEqual([]);
  return failed;
}

test.each([
  { name: "a good row becomes bad", changes: [[LATE, BAD]] },
  { name: "a bad row becomes good", bad: [LATE], changes: [[LATE, GOOD]] },
  {
    ...{ name: "another row is bad, as many as before", bad: [LATE] },
    changes: [
      [LATE, GOOD],
      [LATE + 1, BAD],
    ],
  },
  {
    ...{ name: "one more behind one that is known", bad: [LATE] },
    changes: [[LATE + 5, BAD]],
  },
])(
  "the file changes after the scan for bad rows: $name",
  async ({ bad, changes }) => {
    const change = () => {
      for (const [row, logits] of changes as [number, number[]][])
        overwrite(row, logits);
    };
    const options = { onBadRow: "skip", threads: 2 } as const;
    expect(await failsAfter(change, options, bad)).toMatchObject({
      code: "ERR_INPUT_FORMAT",
      message: `${input}: rows from ${LATE - (LATE % CHUNK_ROWS)}: the bad rows are not those found before: the file changed while it was read`,
      report: { threads: 2 },
    });
  },
);

test.each(["bsr", "coo"] as const)(
  "%s: truncating the input during a run fails, and writes no zeros to the output",
  async (layout) => {
    const change = () => fs.truncateSync(input, fs.statSync(input).size / 2);
    const { message, ...error } = await failsAfter(change, { layout });
    expect(error).toMatchObject({ code: "ERR_INPUT_FORMAT" });
    expect(message).toMatch(
      /: values: expected \d+ bytes at byte \d+, found \d+: the file ends there \(was it truncated while it was read\?\)$/,
    );
  },
);
