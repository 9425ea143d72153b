import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { OutputReport, RunOptions } from "../../src/index.js";
import { DIGITS } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { eceOf, type Independent, independent, readP } from "./independent.js";
import { writeLabelled } from "./labelled-input.js";

const at = workDirectory();

async function reportOf(
  options: Omit<RunOptions, "output">,
  label?: string,
): Promise<OutputReport> {
  const results = at("results.arrow");
  await built.run({ ...options, output: results, force: true, threads: 1 });
  return built.report({ results, output: at("page.html"), label, force: true });
}

/** The numbers of both, side by side. */
function numbersOf({ confidence, calibration, summary }: OutputReport) {
  return {
    rows: summary.rowsWithResults,
    meanUncertainty: confidence.uncertainty?.mean,
    meanConfidence: confidence.confidence?.mean,
    meanEntropy: confidence.entropy?.mean,
    lostFloat32: confidence.uncertainty?.lostFloat32,
    lostFloat64: confidence.uncertainty?.lostFloat64,
    ...(calibration && {
      accuracy: calibration.accuracy,
      ece: calibration.ece,
      nll: calibration.nll,
      brier: calibration.brier,
    }),
  };
}

function expectNear(
  report: OutputReport,
  truth: Independent,
  relative: number,
): void {
  for (const [name, found] of Object.entries(numbersOf(report))) {
    const wanted = truth[name as keyof Independent] as number;
    expect(Math.abs((found as number) - wanted), name).toBeLessThanOrEqual(
      relative * Math.abs(wanted),
    );
  }
  const { shown, meanJacobian, confusion, sensitivity } = report.classes;
  expect(confusion).toEqual(report.calibration ? truth.confusion : null);
  shown.forEach((i, a) => {
    expect(sensitivity?.[i]).toBeCloseTo(
      truth.meanJacobian[i]?.[i] as number,
      9,
    );
    shown.forEach((j, b) => {
      const wanted = truth.meanJacobian[i]?.[j] as number;
      const found = meanJacobian?.[a]?.[b] as number;
      expect(Math.abs(found - wanted)).toBeLessThanOrEqual(relative * wanted);
    });
  });
}

// What all layouts hold, as another reader has it.
const reference = at("reference.arrow");
await built.run({
  input: DIGITS,
  output: reference,
  dtype: "float64",
  keep: ["label"],
});
const truthRows = readP(reference, "label");
const truth = independent(truthRows);

describe("the digits, against numbers worked out by other means", () => {
  const common = { input: DIGITS, dtype: "float64", keep: ["label"] } as const;
  const near = 1e-9;

  test.each([
    ["bsr", {}],
    ["packed", { layout: "packed" }],
    ["csr", { layout: "csr" }],
    ["factored", { layout: "factored" }],
    ["log_softmax alone", { emit: ["log_softmax"] }],
    [
      "softmax with its own uncertainty and entropy",
      { emit: ["softmax", "uncertainty", "entropy", "confidence"] },
    ],
    ["blocks alone, p had back from them", { emit: ["jacobian"] }],
    ["packed blocks alone", { emit: ["jacobian"], layout: "packed" }],
    ["csr without softmax", { emit: ["jacobian"], layout: "csr" }],
    ["blocks of log-softmax", { emit: ["log_jacobian"] }],
    ["compressed", { compress: "zstd" }],
  ] as const)("%s", async (_, options) => {
    const report = await reportOf({ ...common, ...options } as never, "label");
    expectNear(report, truth, near);
  });

  test("coo, which has no kept columns", async () => {
    const report = await reportOf({
      input: DIGITS,
      dtype: "float64",
      layout: "coo",
    });
    expect(report.calibration).toBeNull();
    expectNear(report, truth, near);
    expect(report.summary.from).toEqual({
      p: "jacobian",
      uncertainty: "p",
      confidence: "p",
      entropy: "p",
      jacobian: "entries",
    });
  });

  test("the same as float32, to its digits", async () => {
    const report = await reportOf({ input: DIGITS, keep: ["label"] }, "label");
    expectNear(report, truth, 1e-5);
  });

  test("the output of another temperature", async () => {
    const report = await reportOf({ ...common, temperature: 2 }, "label");
    const own = independent(readP(at("results.arrow"), "label"), 2);
    expectNear(report, own, near);
  });

  test("a threshold: what is kept is what counts, and it is said", async () => {
    const report = await reportOf({
      ...common,
      layout: "csr",
      threshold: 1e-4,
    });
    const { classes, summary } = report;
    const mean = truth.meanJacobian[1]?.[8] as number;
    const [a, b] = [classes.shown.indexOf(1), classes.shown.indexOf(8)];
    const kept = classes.meanJacobian?.[a]?.[b] as number;
    expect(kept).toBeLessThan(mean);
    expect(kept).toBeGreaterThan(mean - 1e-4);
    expect(classes.reasons.join()).toMatch("threshold 0.0001");
    const brute = truthRows.flatMap(({ p }) => entriesOf(p));
    const entries = brute.filter((value) => value >= 1e-4).length;
    expect(summary.entries).toBe(entries);
    const dropped = brute.filter((value) => value < 1e-4);
    expect(summary.droppedSum).toBeCloseTo(
      dropped.reduce((s, x) => s + x, 0),
      9,
    );
    expect(readFileSync(at("page.html"), "utf8")).toMatch(
      `<dt>stored entries</dt><dd>${entries.toLocaleString("en-US")}, `,
    );
  });
});

/** Sizes of the entries of a block, the winner's own by the sum of the others. */
function entriesOf(p: number[]): number[] {
  const winner = p.indexOf(Math.max(...p));
  const uncertainty = p
    .filter((_, k) => k !== winner)
    .sort((a, b) => a - b)
    .reduce((sum, x) => sum + x, 0);
  return p.flatMap((own, i) =>
    p.map((other, j) =>
      i !== j ? own * other : own * (i === winner ? uncertainty : 1 - own),
    ),
  );
}

test("calibration of four rows, by hand", async () => {
  const p = [
    [0.9, 0.1],
    [0.8, 0.2],
    [0.8, 0.2],
    [0.3, 0.7],
  ];
  const labels = [0, 1, 0, 1];
  const input = writeLabelled(
    at("hand.arrow"),
    p.map((row) => row.map(Math.log)),
    labels,
  );
  const { calibration } = await reportOf({ input, keep: ["label"] }, "label");
  // 0.8 is the upper end of a bin, and in it: |½ - 0.8| of two rows, |1 - 0.9| and |1 - 0.7| of one each.
  expect(calibration?.ece).toBeCloseTo((2 * 0.3 + 0.1 + 0.3) / 4, 12);
  expect(calibration?.accuracy).toBe(0.75);
  const nll =
    -(Math.log(0.9) + Math.log(0.2) + Math.log(0.8) + Math.log(0.7)) / 4;
  expect(calibration?.nll).toBeCloseTo(nll, 12);
  // Of two classes (p − y)² is the same for both.
  const brier = (2 * (0.1 ** 2 + 0.8 ** 2 + 0.2 ** 2 + 0.3 ** 2)) / 4;
  expect(calibration?.brier).toBeCloseTo(brier, 12);
  expect(
    calibration?.bins.filter(({ rows }) => rows > 0).map(({ rows }) => rows),
  ).toEqual([1, 2, 1]);
  expect(eceOf([{ confidence: 1, isRight: false }])).toBe(1);
});

test("rows that float64 loses, and rows of which one class has all", async () => {
  const gaps = [1, 10, 17, 18, 30, 37, 38, 100, 700, 2000];
  const input = at("gaps.arrow");
  writeLogits(input, {
    rows: gaps.length,
    classes: 3,
    logit: (r, k) => (k === 1 ? (gaps[r] as number) : 0),
  });
  const { confidence, summary } = await reportOf({ input });
  const uncertaintys = gaps.map((gap) => 2 / (Math.exp(gap) + 2));
  expect(confidence.uncertainty).toMatchObject({
    rows: 10,
    zero: 1,
    lostFloat32: uncertaintys.filter((d) => d > 0 && Math.fround(1 - d) === 1)
      .length,
    lostFloat64: uncertaintys.filter((d) => d > 0 && 1 - d === 1).length,
  });
  expect(confidence.uncertainty?.lostFloat64).toBe(2);
  expect(summary.from.uncertainty).toBe("p");
});
