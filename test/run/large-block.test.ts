import { closeSync, openSync, readSync } from "node:fs";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { normal, random } from "../support/random.js";
import { runsIn } from "../support/runs.js";

const { write, output } = runsIn();

test("3,000 classes: blocks of 72 MB, written in tiles, equal the in-memory ones", async () => {
  const classes = 3000;
  const gauss = normal(random(5));
  const logits = Float64Array.from({ length: 2 * classes }, () => 2 * gauss());
  const logit = (r: number, k: number) => logits[r * classes + k] as number;
  const options = { input: write({ rows: 2, classes, logit }), output };
  const plan = await built.dryRun(options);
  expect(plan).toMatchObject({ recordBatches: 2, blockRowsPerTile: 43 });
  expect(plan.memoryBytes).toBeLessThan(16 * 2 ** 20);
  await built.run(options);

  const blockBytes = classes * classes * 8;
  const fd = openSync(output, "r");
  const read = (bytes: number, position: number) => {
    const found = Buffer.alloc(bytes);
    readSync(fd, found, 0, bytes, position);
    return found;
  };
  for (const row of [0, 1]) {
    const one = logits.subarray(row * classes, (row + 1) * classes);
    const { buffer } = built.softmaxJacobian(one, { rows: 1, classes });
    const expected = Buffer.from(buffer);
    // Each block is the last buffer of its batch; its first bytes are searched where it can begin.
    const start = row * blockBytes;
    const place = read(1 << 20, start).indexOf(expected.subarray(0, 4096));
    expect(place).toBeGreaterThanOrEqual(0);
    expect(read(blockBytes, start + place).equals(expected)).toBe(true);
  }
  closeSync(fd);
});
