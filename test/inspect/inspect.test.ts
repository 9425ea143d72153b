import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { CLI, DIGITS, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();

describe("a file of logits", () => {
  test("what it is, and the range of its values as another reader has it", async () => {
    const found = await built.inspect({ input: DIGITS, scan: true });
    const bytes = readFileSync(DIGITS);
    const logits = [...tableFromIPC(bytes).getChild("logits")].flatMap(
      (row) => [...row],
    );
    expect(found).toMatchObject({
      format: "arrow-file",
      compression: [],
      bytes: bytes.length,
      rows: 1797,
      batches: 4,
      largestBatchRows: 512,
      columns: [
        { name: "id", type: "int32" },
        { name: "label", type: "int8" },
        { name: "split", type: "utf8" },
        { name: "logits", type: "fixed_size_list<float32>[10]" },
      ],
      logits: { column: "logits", dtype: "float32", classes: 10 },
      noLogitsReason: null,
      values: {
        min: Math.min(...logits),
        max: Math.max(...logits),
        maskedLogits: 0,
        badRows: 0,
        firstBadRow: null,
      },
    });
  });

  test.each([
    ["bsr", {}, true],
    ["packed", { dtype: "float64" }, true],
    ["factored", {}, true],
    ["csr", {}, false],
    ["coo", {}, false],
  ] as const)(
    "%s, %o: the bytes that a run writes, or a bound",
    async (layout, choice, exact) => {
      const { layouts } = await built.inspect({ input: DIGITS, ...choice });
      const size = layouts.find(({ name }) => name === layout);
      const { outputBytes } = await built.run({
        input: DIGITS,
        output: at("out.arrow"),
        layout,
        force: true,
        ...choice,
      });
      expect(size?.exact).toBe(exact);
      const ratio = (size?.bytes as number) / outputBytes;
      if (exact) expect(ratio).toBe(1);
      else expect(ratio).toBeGreaterThan(1);
      expect(ratio).toBeLessThan(1.5);
    },
  );

  test("masked classes, bad rows, and what cannot be written", async () => {
    const input = at("bad.arrow");
    const classes = 50_000;
    writeLogits(input, {
      rows: 4,
      classes,
      logit: (r, k) =>
        r === 1 && k === 7
          ? Number.NaN
          : r === 2 || (r === 3 && k % 2)
            ? -Infinity
            : k / classes,
    });
    const found = await built.inspect({ input, scan: true });
    expect(found.values).toEqual({
      min: 0,
      max: (classes - 1) / classes,
      maskedLogits: classes / 2,
      badRows: 2,
      firstBadRow: 1,
    });
    // An Arrow list cannot have the values of a whole block.
    const possible = found.layouts.map(({ name }) => name);
    expect(possible).toEqual(["packed", "coo", "factored"]);
  });

  test("no rows", async () => {
    const input = at("empty.arrow");
    writeLogits(input, { rows: 0, classes: 3, logit: () => 0 });
    const found = await built.inspect({ input, scan: true });
    expect(found).toMatchObject({
      rows: 0,
      values: { min: null, max: null, badRows: 0 },
    });
    const { outputBytes } = await built.run({ input, output: at("o.arrow") });
    expect(found.layouts[0]?.bytes).toBe(outputBytes);
  });
});

describe("the command", () => {
  test("prints what it found on standard output", () => {
    const { stdout, stderr, status } = softjac("inspect", DIGITS, "--scan");
    expect([stderr, status]).toEqual(["", 0]);
    expect(stdout).toMatch(/rows +1,797 in 4 batches of at most 512\n/);
    expect(stdout).toMatch(
      /logits +logits \(fixed-size-list, float32\), 10 classes\n/,
    );
    expect(stdout).toMatch(/bad rows +none\n/);
    expect(stdout).toMatch(/\n {2}bsr +448 +[\d,]+\n/);
    expect(stdout).toMatch(/\n {2}coo +at most [\d,]+ +at most [\d,]+\n/);
  });

  test("as JSON, of standard input", () => {
    const stdout = execFileSync(
      process.execPath,
      [CLI, "inspect", "-", "--json"],
      { input: readFileSync(DIGITS) },
    );
    expect(JSON.parse(stdout.toString())).toMatchObject({
      input: "-",
      rows: 1797,
      logits: { classes: 10 },
    });
  });

  test("a file of results has no one column of logits, which is no error", () => {
    const results = at("results.arrow");
    expect(softjac("run", DIGITS, "-o", results).status).toBe(0);
    const { stdout, status } = softjac("inspect", results);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /: softmax: .*, jacobian: .*; choose one with --column/,
    );
    expect(stdout).not.toMatch("bsr");
  });

  test.each([
    [
      [DIGITS, "--top-k", "3"],
      64,
      /: --top-k was removed; softjac run --dry-run prints the sizes of a run\n$/,
    ],
    [[at("nothing")], 66, /\/nothing: no such file or directory\n$/],
    [
      [CLI],
      65,
      /: expected an Arrow, Parquet, NumPy or safetensors file, found CSV/,
    ],
  ])("%j ends with %i", (args, code, says) => {
    const { status, stdout, stderr } = softjac("inspect", ...args);
    expect(status).toBe(code);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^softjac: [^\n]+\n$/);
    expect(stderr).toMatch(says);
  });
});
