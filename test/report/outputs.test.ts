import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { Float64, Int64 } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { OutputReport } from "../../src/index.js";
import { LAYOUTS } from "../../src/results/catalogue.js";
import type { RunEmit } from "../../src/results/emit-options.js";
import { CLI, DIGITS } from "../cli/support.js";
import { built } from "../support/built.js";
import { fixedSizeList } from "../support/fixed-size-list.js";
import { rows } from "../support/input-runs.js";
import { KEPT, KEPT_ROWS, writeKept } from "../support/kept-input.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { refused } from "../support/refused.js";
import { type Column, writeResults } from "../support/results-file.js";
import { drawnLogits, reporter, writeLabelled } from "./reports.js";

const at = workDirectory();
const page = at("page.html");
const text = () => fs.readFileSync(page, "utf8");
const reportOf = reporter(at);

describe.each(LAYOUTS)("layout %s", (layout) => {
  const shapes = rows("0 3; 1 3; 4 1; 4 2");
  test.each(shapes)("%i rows of %i classes", async (rows = 0, classes = 0) => {
    const input = at("drawn.arrow");
    const logits = drawnLogits(rows, classes);
    const logit = (r: number, k: number) => logits[r]?.[k] as number;
    writeLogits(input, { rows, classes, batchRows: [2], logit });
    const report = await reportOf({ input, layout });
    // With one class J is 0: coo has no entry of it, and so no row.
    const isEmpty = rows === 0 || (layout === "coo" && classes === 1);
    const hasP = layout !== "coo";
    expect(report.summary).toMatchObject({
      ...{ rows, classes, badRows: 0 },
      rowsWithResults: isEmpty ? 0 : rows,
    });
    expect(
      report.rows.mostUncertain.map(({ likely }) => likely?.length),
    ).toEqual(Array(hasP ? rows : 0).fill(classes));
    if (!isEmpty) expect(report.classes.shown.length).toBe(classes);
    if (classes === 1 && hasP)
      expect(report.confidence.uncertainty).toMatchObject({
        ...{ zero: rows, lostFloat32: 0 },
      });
  });
});

test("3,000 classes: a small page of the most likely classes and most uncertain rows", async () => {
  const logits = drawnLogits(40, 3000);
  const input = writeLabelled(at("wide.arrow"), logits, Array(40).fill(0));
  const emit = ["softmax"] as const;
  const { rows, classes } = await reportOf({ input, emit: [...emit] });
  expect(classes.sensitivity?.length).toBe(3000);
  expect(classes.shown.length).toBe(40);
  expect(rows.mostUncertain.map(({ likely }) => likely?.length)).toEqual(
    Array(20).fill(5),
  );
  expect(text().length).toBeLessThan(3e6);
});

describe("bad rows", () => {
  const rows = 9;
  const input = at("bad.arrow");
  // Row 7 has p = 1 for one class, and so no entries.
  writeLogits(input, {
    rows,
    classes: 4,
    logit: (r, k) => {
      if (r === 2 || r === 5) return Number.NaN;
      return (r === 7 && k > 0) || (k === 3 && r % 2) ? -Infinity : k * r;
    },
  });

  test.each([
    ["bsr", ["softmax"]],
    ["csr", ["softmax", "jacobian"]],
    ["bsr", ["log_jacobian"]],
    ["bsr", ["trace"]],
  ] as const)("null in %s of %o", async (layout, emit) => {
    const report = await reportOf({ input, layout, emit, onBadRow: "null" });
    const counts = { rows, badRows: 2, rowsWithResults: 7, rowsSkipped: 0 };
    expect(report.summary).toMatchObject(counts);
    if (emit[0] !== "softmax") return;
    const shown = report.rows.mostUncertain.map(({ row }) => row);
    expect(shown.toSorted()).toEqual([0, 1, 3, 4, 6, 7, 8]);
  });

  test.each([
    ["bsr", 7, /null, 2 omitted/, 1],
    ["coo", 6, /null, 3 without entries/, undefined],
  ] as const)("skipped in %s", async (layout, found, shown, zero) => {
    const report = await reportOf({ input, layout, onBadRow: "skip" });
    const counts = { rowsWithResults: found, rowsSkipped: rows - found };
    expect(report.summary).toMatchObject({ badRows: 0, ...counts });
    expect(report.confidence.uncertainty?.zero).toBe(zero);
    expect(text()).toMatch(shown);
    expect(text().includes("softmax,jacobian --layout csr does")).toBe(!zero);
  });
});

test("a label is no class", async () => {
  const path = at("wrong-labels.arrow");
  writeLabelled(path, drawnLogits(4, 3), [1, null, 3, 2]);
  await refused(
    reportOf({ input: path, keep: ["label"] }, { label: "label" }),
    "ERR_INPUT_FORMAT",
    `${at("results.arrow")}: row 2: expected a label from 0 to 2, or null, -1 or -100 for none, found 3; classes are counted from 0`,
  );
});

test("rows without a label, and a label with p = 0", async () => {
  const logits = rows("0 -Infinity 1; 0 1 2; 0 1 2; 0 1 2; 3 1 2");
  const input = at("labels.arrow");
  writeLabelled(input, logits, [1, -100, null, -1, 0]);
  const run = { input, keep: ["label"] };
  const { calibration } = await reportOf(run, { label: "label" });
  const p = Math.exp(3) / (Math.exp(3) + Math.exp(1) + Math.exp(2));
  const [a, b] = [0, 1].map((o) => Math.exp(o) / (1 + Math.E)) as number[];
  const [c, d] = [1, 2].map((o) => Math.exp(o - 3) * p) as number[];
  const squares = [1, a, b, 1 - p, c, d].map((x) => (x as number) ** 2);
  expect(calibration).toMatchObject({
    ...{ rows: 2, unlabelled: 3, zeroP: 1, accuracy: 0.5 },
    nll: expect.closeTo(-Math.log(p), 12),
    brier: expect.closeTo(squares.reduce((sum, x) => sum + x, 0) / 2, 12),
  });
  writeLabelled(input, logits.slice(0, 1), [1]);
  const infinite = await reportOf(run, { label: "label" });
  expect(infinite.calibration).toMatchObject({ rows: 1, zeroP: 1, nll: null });
  expect(text()).toContain("likelihood <strong>unknown</strong> nats");
});

test.each([
  ["uncertainty", ["uncertainty", "confidence"]],
  ["tail", ["uncertainty", "confidence"]],
  ["confidence", ["confidence"]],
  ["entropy", ["entropy"]],
  ["trace", []],
  ["softmax", ["uncertainty", "confidence", "entropy", "jacobian"]],
  ["jacobian", ["jacobian"]],
  ["jacobian", [], { layout: "csr" }],
] as [RunEmit, string[], object?][])(
  "an output of %s determines %o %o",
  async (name, has, options = {}) => {
    const run = { input: DIGITS, emit: [name], ...options };
    const report = await reportOf(run);
    const { confidence, classes, rows } = report;
    const found = { ...confidence, jacobian: classes.meanJacobian };
    const names = ["uncertainty", "confidence", "entropy", "jacobian"] as const;
    expect(names.filter((name) => found[name] !== null)).toEqual(has);
    const others = has.filter((name) => name !== "jacobian");
    expect(confidence.reasons.length).toBe(3 - others.length);
    expect(classes.reasons.length).toBe(has.includes("jacobian") ? 0 : 1);
    expect(rows.mostUncertain.length).toBe(others.length > 0 ? 20 : 0);
    expect(text().includes("most uncertain of 1,797 rows.")).toBe(
      others.length > 0,
    );
    for (const { reasons } of [confidence, classes, rows])
      for (const reason of reasons) expect(text()).toContain(reason);
    const advice = `(softjac run --emit softmax,${name} stores it)`;
    expect(text().includes(advice)).toBe(name !== "softmax");
  },
);

test("copied columns of every type are text", async () => {
  const input = at("kept.arrow");
  writeKept(input, 17);
  const names = Object.keys(KEPT);
  const { rows } = await reportOf({ input, keep: names });
  expect(rows.copiedColumns).toEqual(names.slice(0, 12));
  expect(rows.hiddenColumns).toBe(names.length - 12);
  expect(rows.mostUncertain.length).toBe(Math.min(20, KEPT_ROWS));
  const textOf = (value: unknown) => {
    if (value instanceof Uint8Array)
      return `0x${Buffer.from(value).toString("hex")}`;
    if (value instanceof Date) return value.toISOString().slice(0, 10);
    return value === null ? null : String(value);
  };
  for (const { row, copied } of rows.mostUncertain)
    expect(copied).toEqual(
      rows.copiedColumns.map((name) => textOf(KEPT[name]?.values[row])),
    );
});

const BLOCK = [0.1, 0, 0, 0, 1.5, 0, 0, 0, 0];
const SLAB = Array.from({ length: 18 }, (_, n) => (n === 5 ? 0.5 : 0));
test.each([
  ["expected p from 0 to 1, found 1.5 for class 1", "softmax", [0.1, 1.5, 0]],
  ["expected entries of its block from -1 to 1, found 1.5", "jacobian", BLOCK],
  [
    "column jacobian: expected 0 outside of [i, 0, j], found 0.5 at [0, 1, 2]",
    ...(["jacobian", SLAB, { layout: "dense", rows: 2 }] as const),
  ],
] as const)("impossible numbers: %s", async (...all) => {
  const [message, emit, values, more] = all;
  const results = at("impossible.arrow");
  const lists = fixedSizeList(new Float64(), values.length);
  const row: Column = ["row", new Int64(), [0n]];
  writeResults(results, [row, [emit, lists, [values]]], { emit, ...more });
  await refused(
    built.report({ results, output: at("no.html") }),
    "ERR_INPUT_FORMAT",
    `${results}: row 0: ${message}`,
  );
});

describe("a dataset", () => {
  const folder = at("logits");
  fs.mkdirSync(folder);
  for (const name of ["train", "test"])
    fs.copyFileSync(DIGITS, `${folder}/${name}.arrow`);
  const dataset = at("dataset");
  const cut = at("cut");
  const keep = ["label"];

  test("the report on a dataset covers its shards", async () => {
    const shards = { output: dataset, shardRows: 500 };
    await built.runDataset({ inputs: [folder], ...shards, keep });
    const label = "label";
    const one = await reportOf({ input: DIGITS, keep }, { label });
    const options = { results: dataset, output: page, force: true };
    const all = await built.report({ ...options, label });
    const parts = fs.readdirSync(dataset).filter((name) => /^part/.test(name));
    const sizes = parts.map((name) => fs.statSync(`${dataset}/${name}`).size);
    expect(all.summary).toMatchObject({
      ...{ kind: "dataset", shards: 8 },
      bytes: sizes.reduce((sum, size) => sum + size),
      sources: ["test.arrow", "train.arrow"],
      ...{ rows: 2 * 1797, rowsWithResults: 2 * 1797 },
    });
    const numbers = ({ confidence, calibration, classes }: OutputReport) => [
      ...(confidence.uncertainty?.counts ?? []),
      calibration?.ece,
      ...(classes.meanJacobian?.flat() ?? []),
    ];
    const bins = one.confidence.uncertainty?.counts.length as number;
    expect(numbers(all)).toEqual(
      numbers(one).map((x, n) =>
        n < bins ? 2 * (x as number) : expect.closeTo(x as number, 12),
      ),
    );
    const twice = one.rows.mostUncertain
      .slice(0, 10)
      .flatMap((row) =>
        ["test.arrow", "train.arrow"].map((input) => ({ ...row, input })),
      );
    expect(all.rows.mostUncertain).toEqual(twice);
  });

  test("an input without results is listed", async () => {
    fs.writeFileSync(`${folder}/broken.arrow`, "no Arrow file");
    const results = at("mostly");
    const inputs = { inputs: [folder], allowMissing: true, keepGoing: true };
    await built.runDataset({ ...inputs, output: results, keep });
    const report = await built.report({ results, output: page, force: true });
    expect(report.summary).toMatchObject({
      skippedInputs: [{ name: "broken.arrow" }],
      rowsWithResults: 2 * 1797,
    });
    expect(text()).toMatch("Inputs without results");
  });

  const manifest =
    (edit: (manifest: { parts: { part: string }[] }) => unknown) => () => {
      const path = `${cut}/_manifest.json`;
      const old = JSON.parse(fs.readFileSync(path, "utf8"));
      fs.writeFileSync(path, JSON.stringify(edit(old) ?? old));
    };
  const PART = "part-00000-of-00008.arrow";
  /** Damage by the end of the message. */
  const DAMAGE: Record<string, () => void> = {
    [`${PART}: file: expected \\d+ bytes as in the manifest, found 1000`]: () =>
      fs.truncateSync(`${cut}/${PART}`, 1000),
    [`${PART}: no such file or directory`]: () => fs.rmSync(`${cut}/${PART}`),
    'cut: _manifest.json: expected file names as in part-00000-of-00001.arrow, found "../results.arrow"':
      manifest(({ parts: [first] }) => {
        if (first) first.part = "../results.arrow";
      }),
    "_manifest.json: the dataset has no shards": manifest(
      ({ parts }) => void parts.splice(0),
    ),
    "cut: _manifest.json: not a valid manifest of a dataset": manifest(
      () => [],
    ),
    "cut is not a complete dataset: it has no _SUCCESS": () =>
      fs.rmSync(`${cut}/_SUCCESS`),
  };
  test.each(Object.entries(DAMAGE))("%s", async (message, damage) => {
    fs.rmSync(cut, { recursive: true, force: true });
    fs.cpSync(dataset, cut, { recursive: true });
    damage();
    const made = built.report({ results: cut, output: at("no.html") });
    await expect(made).rejects.toThrow(new RegExp(`${message}$`));
  });
});

test("peak memory does not depend on the number of rows", async () => {
  const peakOf = async (rows: number) => {
    const [input, output] = [at("many.arrow"), at("many-results.arrow")];
    await built.generate({ output: input, rows, classes: 4, force: true });
    await built.run({ input, output, emit: ["softmax"], force: true });
    const printed = execFileSync(
      process.execPath,
      [CLI, "report", output, "-o", page, "--force", "--json", "--quiet"],
      { encoding: "utf8", maxBuffer: 1 << 26 },
    );
    return (JSON.parse(printed) as OutputReport).peakMemoryBytes;
  };
  // Garbage takes less than this, and 100 bytes of every row would take more.
  const few = await peakOf(60_000);
  expect(await peakOf(900_000)).toBeLessThan(few + 90e6);
});

test("reports on the same output are equal, and a stopped one leaves the old page", async () => {
  await reportOf({ input: DIGITS });
  const first = text();
  await reportOf({ input: DIGITS });
  expect(text()).toBe(first);
  const options = { results: at("results.arrow"), output: page, force: true };
  const signal = AbortSignal.abort();
  const other = { ...options, title: "Other" };
  await refused(built.report(other, { signal }), "ERR_ABORTED");
  expect(text()).toBe(first);
});
