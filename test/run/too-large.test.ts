import { statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { LogitsEvent } from "../../src/options/hooks.js";
import type { RunOptions } from "../../src/options/run-options.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { canMount, mountSmall, unmount } from "../support/machine.js";

// Messages about outputs that are too large suggest options that are possible.

const at = workDirectory();
const logit = (r: number, k: number) => Math.sin(r * r + k);

function input(rows: number, classes: number): string {
  const path = at(`${rows}x${classes}.arrow`);
  writeLogits(path, { rows, classes, logit });
  return path;
}

function dryRun(path: string, options: Partial<RunOptions> = {}) {
  return built.dryRun({ input: path, output: at("none"), ...options });
}

describe("lists of more than 2^31 - 1 values", () => {
  const classes = 49_152;
  const path = input(1, classes);
  const block = `${path}: column logits: a block of ${classes} x ${classes} classes has 2415919104 values of`;

  test.each<[Partial<RunOptions>, string]>([
    [
      {},
      `${block} jacobian in layout bsr, and an Arrow list has at most 2147483647; use --layout factored, --layout packed, --layout coo --threshold T, or --emit softmax`,
    ],
    [
      { emit: ["log_jacobian", "entropy"] },
      `${block} log_jacobian in layout bsr, and an Arrow list has at most 2147483647; use --layout factored, --layout coo --threshold T, or --emit entropy`,
    ],
    [
      { emit: ["jacobian", "factor"] },
      `${block} jacobian in layout bsr, and an Arrow list has at most 2147483647; use --layout coo --threshold T or --emit softmax`,
    ],
    [
      { layout: "csr", onBadRow: "null" },
      `${path}: column logits: expected at most 46340 classes in layout csr, whose indices are int32, found ${classes}; use --layout factored, --layout packed, or --emit softmax`,
    ],
  ])("%j", async (options, message) => {
    await expect(dryRun(path, options)).rejects.toMatchObject({
      code: "ERR_INPUT_UNSUPPORTED",
      message,
    });
  });

  test("suggested options are possible", async () => {
    for (const options of [
      { layout: "factored" },
      { layout: "packed" },
      { layout: "coo", topK: 20 },
      { layout: "coo", threshold: 0.1 },
      { emit: ["softmax"] },
    ] as const)
      expect((await dryRun(path, options)).classes).toBe(classes);
  });

  test("packed is not suggested if it is too large as well", async () => {
    await expect(dryRun(input(1, 70_000))).rejects.toThrow(
      "; use --layout factored, --layout coo --threshold T, or --emit softmax",
    );
  });
});

test("warns of rows of more than 1 GiB and suggests smaller outputs", async () => {
  const classes = 12_000;
  const warnings: string[] = [];
  const onEvent = (event: LogitsEvent) => {
    if (event.event === "warning") warnings.push(event.message);
  };
  const run = (options: Partial<RunOptions>, signal?: AbortSignal) =>
    built.run(
      {
        input: input(1, classes),
        output: at("out.arrow"),
        force: true,
        ...options,
      },
      { onEvent, ...(signal && { signal }) },
    );
  // The run stops before it writes anything.
  const stop = new AbortController();
  await expect(
    built.run(
      { input: input(1, classes), output: at("out.arrow") },
      {
        signal: stop.signal,
        onEvent: (event) => {
          onEvent(event);
          if (event.event === "warning") stop.abort();
        },
      },
    ),
  ).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(warnings).toEqual([
    `each row takes ${8 * classes * (classes + 1)} bytes in layout bsr; use --layout factored, --layout packed, --layout csr --threshold T, --layout coo --threshold T, or --emit softmax for less`,
  ]);
  warnings.length = 0;
  await run({ layout: "factored" });
  expect(warnings).toEqual([]);
});

test.skipIf(!canMount())(
  "suggests outputs that fit on a disk that is too small",
  async () => {
    const mount = at("small");
    expect(mountSmall(mount, "1m")).toBe(true);
    try {
      const path = input(40, 100);
      const output = `${mount}/out.arrow`;
      const run = (options: Partial<RunOptions>) =>
        built.run({ input: path, output, force: true, ...options });
      const ways =
        /^.*: not enough disk space in .*: \d+ bytes are needed, \d+ are free; use --layout factored, --layout csr --threshold T, --layout coo --threshold T, or --emit softmax$/;
      await expect(run({})).rejects.toMatchObject({
        code: "ERR_IO",
        message: expect.stringMatching(ways),
      });
      await expect(
        built.runDataset({ inputs: [path], output: `${mount}/dataset` }),
      ).rejects.toThrow("or --emit softmax");
      for (const options of [
        { layout: "factored" },
        { layout: "csr", topK: 1 },
        { emit: ["softmax"] },
      ] as const) {
        await run(options);
        expect(statSync(output).size).toBeGreaterThan(0);
      }
    } finally {
      unmount(mount);
    }
  },
);
