import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { CLI, DIGITS, softjac } from "../cli/support.js";
import { npy } from "../support/array-files.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();

test("a scan gives the range of the logits as flechette reads them", async () => {
  const bytes = readFileSync(DIGITS);
  const lists: Iterable<number>[] = [...tableFromIPC(bytes).getChild("logits")];
  const logits = lists.flatMap((row) => [...row]);
  expect(await built.inspect({ input: DIGITS, scan: true })).toMatchObject({
    ...{ format: "arrow-file", compression: [], bytes: bytes.length },
    ...{ rows: 1797, batches: 4, largestBatchRows: 512 },
    columns: [
      { name: "id", type: "int32" },
      { name: "label", type: "int8" },
      { name: "split", type: "utf8" },
      { name: "logits", type: "fixed_size_list<float32>[10]" },
    ],
    logits: { column: "logits", dtype: "float32", classes: 10 },
    noLogitsReason: null,
    values: {
      ...{ min: Math.min(...logits), max: Math.max(...logits) },
      ...{ maskedLogits: 0, badRows: 0, firstBadRow: null },
    },
  });
});

test("the sizes of layouts are those of a dry run", async () => {
  const { layouts } = await built.inspect({ input: DIGITS });
  const plan = await built.dryRun({ input: DIGITS, output: at("none") });
  expect(layouts).toEqual(plan.layouts);
});

test("masked classes, bad rows, and layouts that cannot be written", async () => {
  const input = at("bad.arrow");
  const classes = 50_000;
  const logit = (r: number, k: number) => {
    if (r === 1 && k === 7) return Number.NaN;
    return r === 2 || (r === 3 && k % 2) ? -Infinity : k / classes;
  };
  writeLogits(input, { rows: 4, classes, logit });
  const { values, layouts } = await built.inspect({ input, scan: true });
  expect(values).toEqual({
    ...{ min: 0, max: (classes - 1) / classes },
    ...{ maskedLogits: classes / 2, badRows: 2, firstBadRow: 1 },
  });
  // An Arrow list cannot have the values of a whole block.
  const names = layouts.map(({ name }) => name);
  expect(names).toEqual(["packed", "coo", "factored"]);
});

test("the first bad row of an array of three dimensions is its row, as in a run", async () => {
  const input = at("three.npy");
  const logits = new Float64Array(3 * 4 * 2);
  // Row 1, position 2.
  logits[(1 * 4 + 2) * 2] = Number.NaN;
  writeFileSync(input, npy(logits, [3, 4, 2]));
  const { values } = await built.inspect({ input, scan: true });
  const output = at("three.arrow");
  const report = await built.run({ input, output, onBadRow: "skip" });
  expect([values?.firstBadRow, report.firstBadRow]).toEqual([1, 1]);
});

test("no rows", async () => {
  const input = at("empty.arrow");
  writeLogits(input, { rows: 0, classes: 3, logit: () => 0 });
  const found = await built.inspect({ input, scan: true });
  const values = { min: null, max: null, badRows: 0 };
  expect(found).toMatchObject({ rows: 0, values });
  const { outputBytes } = await built.run({ input, output: at("o.arrow") });
  expect(found.layouts[0]?.bytes).toBe(outputBytes);
});

describe("the command", () => {
  test("prints a description", () => {
    const { stdout, stderr, status } = softjac("inspect", DIGITS, "--scan");
    expect([stderr, status]).toEqual(["", 0]);
    for (const line of [
      /rows +1,797 in 4 batches of at most 512\n/,
      /logits +logits \(fixed-size-list, float32\), 10 classes\n/,
      /bad rows +none\n/,
      /\n {2}bsr +448 +[\d,]+\n/,
      /\n {2}coo +at most [\d,]+ +at most [\d,]+\n/,
    ])
      expect(stdout).toMatch(line);
  });

  test("describes standard input as JSON", () => {
    const args = [CLI, "inspect", "-", "--json"];
    const options = { input: readFileSync(DIGITS), encoding: "utf8" } as const;
    const printed = execFileSync(process.execPath, args, options);
    const expected = { input: "-", rows: 1797, logits: { classes: 10 } };
    expect(JSON.parse(printed)).toMatchObject(expected);
  });

  test("lists the candidates in an output", () => {
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
      `${DIGITS} --top-k 3`,
      "64 --top-k was removed; softjac run --dry-run prints the sizes of a run",
    ],
    [at("nothing"), `66 ${at("nothing")}: no such file or directory`],
    [
      CLI,
      "65 .*: expected an Arrow, Parquet, NumPy or safetensors file, found CSV.*",
    ],
  ])("%s: %s", (line, answer) => {
    const [status, ...words] = answer.split(" ");
    expect(softjac("inspect", ...line.split(" "))).toEqual({
      ...{ status: Number(status), stdout: "" },
      stderr: expect.stringMatching(`^softjac: ${words.join(" ")}\n$`),
    });
  });
});
