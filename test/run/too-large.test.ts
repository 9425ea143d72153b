import { statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { built } from "../support/built.js";
import { canMount, mountSmall, unmount } from "../support/machine.js";
import { refused } from "../support/refused.js";
import { runsIn } from "../support/runs.js";

// Messages about outputs that are too large name options that store less.

const { at, run, write } = runsIn();
const logit = (r: number, k: number) => Math.sin(r * r + k);
const shape = (rows: number, classes: number) =>
  write({ rows, classes, logit }, at(`${rows}x${classes}.arrow`));
const dryRun = (input: string, options: Partial<RunOptions> = {}) =>
  built.dryRun({ input, output: at("none"), ...options });

describe("lists of more than 2^31 - 1 values", () => {
  const classes = 49_152;
  const path = shape(1, classes);
  const block = `${path}: column logits: a block of ${classes} x ${classes} classes has 2415919104 values of`;
  const limit =
    "in layout bsr, and an Arrow list has at most 2147483647; use --layout factored, --layout coo --threshold T, or --emit softmax";

  test("are rejected", async () => {
    const options = { emit: ["log_jacobian", "entropy"] } as const;
    const message = `${block} log_jacobian ${limit}`;
    await refused(dryRun(path, options), "ERR_INPUT_UNSUPPORTED", message);
  });

  test.each<[Partial<RunOptions>]>([
    [{ layout: "factored" }],
    [{ layout: "coo", topK: 20 }],
    [{ layout: "coo", threshold: 0.1 }],
    [{ emit: ["softmax"] }],
  ])("%j, which is suggested, is possible", async (options) => {
    expect((await dryRun(path, options)).classes).toBe(classes);
  });
});

test("a dense tensor over 1 GiB is rejected with its size unless --force-dense is given", async () => {
  const input = shape(4000, 3);
  const options = { layout: "dense", emit: ["jacobian"] } as const;
  await expect(dryRun(input, options)).rejects.toThrow(
    "found 4000 x 3 x 4000 x 3: 1152000000 bytes; use another layout, which stores only the diagonal blocks, or --force-dense",
  );
  const { outputBytes } = await dryRun(input, { ...options, forceDense: true });
  expect(outputBytes).toBeGreaterThan(1152000000);
});

test("warns of rows of more than 1 GiB and suggests smaller outputs", async () => {
  const classes = 12_000;
  const warnings: string[] = [];
  // The run stops before it writes anything.
  const stop = new AbortController();
  const warned = (options: Partial<RunOptions>, signal?: AbortSignal) =>
    run(
      { input: shape(1, classes), ...options },
      {
        ...(signal && { signal }),
        onEvent: (event) => {
          if (event.event !== "warning") return;
          warnings.push(event.message);
          stop.abort();
        },
      },
    );
  await refused(warned({}, stop.signal), "ERR_ABORTED");
  await warned({ layout: "factored" });
  expect(warnings).toEqual([
    `each row takes ${8 * classes * (classes + 1)} bytes in layout bsr; use --layout factored, --layout coo --threshold T, or --emit softmax for less`,
  ]);
});

test.skipIf(!canMount())(
  "rejects an output that does not fit on its disk before it writes",
  async () => {
    const mount = at("small");
    expect(mountSmall(mount, "1m")).toBe(true);
    try {
      const input = shape(40, 100);
      const output = `${mount}/out.arrow`;
      const message =
        /^.*: not enough disk space in .*: \d+ bytes are needed, \d+ are free$/;
      await refused(run({ input, output }), "ERR_IO", message);
      await run({ input, output, layout: "factored" });
      expect(statSync(output).size).toBeGreaterThan(0);
    } finally {
      unmount(mount);
    }
  },
);
