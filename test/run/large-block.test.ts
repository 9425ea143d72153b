import { closeSync, openSync, readSync } from "node:fs";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";

const at = workDirectory();

test("3,000 classes: blocks of 72 MB, written in tiles, equal the in-memory ones", async () => {
  const classes = 3000;
  const gauss = normal(random(5));
  const logits = Float64Array.from({ length: 2 * classes }, () => 2 * gauss());
  const input = at("in.arrow");
  writeLogits(input, {
    rows: 2,
    classes,
    logit: (r, k) => logits[r * classes + k] as number,
  });
  const output = at("out.arrow");
  const options = { input, output };
  const plan = await built.dryRun(options);
  expect(plan).toMatchObject({ recordBatches: 2, blockRowsPerTile: 43 });
  expect(plan.memoryBytes).toBeLessThan(16 * 2 ** 20);
  const report = await built.run(options);
  expect(report.rows).toBe(2);

  const blockBytes = classes * classes * 8;
  const fd = openSync(output, "r");
  const found = new Uint8Array(blockBytes);
  for (const row of [0, 1]) {
    const expected = built.softmaxJacobian(
      logits.subarray(row * classes, (row + 1) * classes),
      { rows: 1, classes },
    );
    // Each block is the last buffer of its batch; its first bytes are searched where it can begin.
    const window = new Uint8Array(1 << 20);
    const start = row * blockBytes;
    readSync(fd, window, 0, window.length, start);
    const place = Buffer.from(window.buffer).indexOf(
      Buffer.from(expected.buffer, 0, 4096),
    );
    expect(place).toBeGreaterThanOrEqual(0);
    readSync(fd, found, 0, blockBytes, start + place);
    expect(Buffer.from(found.buffer).equals(Buffer.from(expected.buffer))).toBe(
      true,
    );
  }
  closeSync(fd);
});
