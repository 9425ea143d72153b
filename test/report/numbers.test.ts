import { readFileSync } from "node:fs";
import { tableFromIPC } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/index.js";
import { collectNumbers } from "../../src/report/numbers/collect.js";
import type { PageNumbers } from "../../src/report/output-report.js";
import { findResults } from "../../src/show/find-results.js";
import { DIGITS } from "../cli/support.js";
import { built } from "../support/built.js";
import { rows } from "../support/input-runs.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { drawnLogits, reporter, writeLabelled } from "./reports.js";

const at = workDirectory();
const reportOf = reporter(at);

interface Row {
  p: number[];
  label: number;
}

/** Returns p and the labels of an output, as apache-arrow reads them. */
function readRows(path: string, label?: string): Row[] {
  const table = tableFromIPC(readFileSync(path));
  const labels = label === undefined ? null : table.getChild(label);
  return [...(table.getChild("softmax") ?? [])].map((p, r) => ({
    p: [...p].map(Number),
    label: Number(labels?.get(r) ?? -1),
  }));
}

const sum = (values: number[]) => values.reduce((sum, x) => sum + x, 0);
const mean = (values: number[]) => sum(values) / values.length;

/** Computes the numbers of a report from all rows at once, with sorted sums and searched bins. */
function truthOf(rows: Row[], T = 1) {
  const rated = rows.map(({ p, label }) => {
    const winner = p.indexOf(Math.max(...p));
    const others = p.filter((_, k) => k !== winner).sort((a, b) => a - b);
    const [confidence, uncertainty] = [p[winner] as number, sum(others)];
    const log = (k: number) =>
      k === winner ? Math.log1p(-uncertainty) : Math.log(p[k] as number);
    const rest = (k: number) =>
      k === winner ? uncertainty : 1 - (p[k] as number);
    return { p, label, winner, confidence, uncertainty, log, rest };
  });
  const labelled = rated.filter(({ label }) => label >= 0);
  const classes = (rows[0]?.p ?? []).map((_, k) => k);
  const matrix = (entry: (i: number, j: number) => number) =>
    classes.map((i) => classes.map((j) => entry(i, j)));
  const isLost = (round: (x: number) => number) =>
    rated.filter(({ uncertainty: u }) => u > 0 && round(1 - u) === 1).length;
  const bins = Array.from({ length: 15 }, (_, k) =>
    labelled.filter(({ confidence: c }) => c > k / 15 && c <= (k + 1) / 15),
  );
  const confusion = matrix(
    (i, j) =>
      labelled.filter(({ label, winner }) => label === i && winner === j)
        .length,
  );
  const meanJacobian = matrix((i, j) =>
    mean(
      rated.map(
        ({ p, rest }) =>
          ((p[i] as number) * (i === j ? rest(i) : (p[j] as number))) / T,
      ),
    ),
  );
  const gaps = bins.map((bin) =>
    sum(bin.map((row) => +(row.winner === row.label) - row.confidence)),
  );
  const entropies = rated.map(({ p, log }) =>
    sum(p.map((x, k) => (x === 0 ? 0 : -x * log(k))).sort((a, b) => a - b)),
  );
  return {
    summary: { rowsWithResults: rows.length },
    confidence: {
      confidence: { mean: mean(rated.map(({ confidence }) => confidence)) },
      entropy: { mean: mean(entropies) },
      uncertainty: {
        mean: mean(rated.map(({ uncertainty }) => uncertainty)),
        lostFloat32: isLost(Math.fround),
        lostFloat64: isLost((x) => x),
      },
    },
    calibration: {
      accuracy: mean(labelled.map(({ winner, label }) => +(winner === label))),
      ece: sum(gaps.map(Math.abs)) / labelled.length,
      nll: mean(labelled.map(({ log, label }) => -log(label))),
      brier: mean(
        labelled.map(({ p, label }) =>
          sum(p.map((x, k) => (x - +(k === label)) ** 2)),
        ),
      ),
    },
    classes: {
      rows: rows.length,
      confusionRows: labelled.length,
      meanP: classes.map((k) => mean(rows.map(({ p }) => p[k] as number))),
      predicted: classes.map(
        (k) => rated.filter(({ winner }) => winner === k).length,
      ),
      labelled: confusion.map(sum),
      correct: confusion.map((row, k) => row[k]),
      sensitivity: meanJacobian.map((row, k) => row[k] as number),
      meanJacobian,
      confusion,
    },
  };
}

/** Expects the numbers of a report within a relative error. */
function expectNear(
  found: PageNumbers,
  truth: ReturnType<typeof truthOf>,
  relative: number,
): void {
  const { shown } = found.classes;
  const ofShown = (all: number[][]) =>
    shown.map((i) => shown.map((j) => all[i]?.[j] as number));
  const { meanJacobian, confusion } = truth.classes;
  const near = (x: unknown): unknown => {
    if (Array.isArray(x)) return x.map(near);
    if (typeof x === "number")
      return expect.closeTo(
        x,
        Math.ceil(-Math.log10(relative * Math.abs(x) + 1e-30)),
      );
    const entries = Object.entries(x as object);
    return Object.fromEntries(entries.map(([name, y]) => [name, near(y)]));
  };
  const matrices = {
    meanJacobian: ofShown(meanJacobian),
    confusion: ofShown(confusion),
  };
  const classes = { ...truth.classes, ...matrices };
  expect(found).toMatchObject(near({ ...truth, classes }) as object);
}

const digits = { input: DIGITS, dtype: "float64", keep: ["label"] } as const;
await built.run({ ...digits, output: at("reference.arrow") });
const truthRows = readRows(at("reference.arrow"), "label");
const truth = truthOf(truthRows);

describe("the digits", () => {
  test.each<Partial<RunOptions>>([
    ...[{}, { layout: "csr" } as const, { layout: "factored" } as const],
    { emit: ["log_softmax"] },
    { emit: ["softmax", "uncertainty", "entropy", "confidence"] },
  ])("%j", async (options) => {
    const run = { ...digits, ...options };
    expectNear(await reportOf(run, { label: "label" }), truth, 1e-9);
  });

  test.each<Partial<RunOptions>>([
    { layout: "bsr" },
    { layout: "packed" },
    { layout: "dense", input: at("few.arrow") },
  ])("mean |J| from blocks alone, %j", async (options) => {
    const few = drawnLogits(20, 10);
    writeLabelled(at("few.arrow"), few, Array(20).fill(0));
    const run = { ...digits, ...options };
    const p = at("reference.arrow");
    if (options.input)
      await built.run({ ...run, layout: "bsr", output: p, force: true });
    const { classes } = options.input ? truthOf(readRows(p)) : truth;
    const { meanJacobian, sensitivity } = classes;
    const report = await reportOf({ ...run, emit: ["jacobian"] });
    expect(report.classes).toMatchObject({
      meanP: null,
      meanJacobian: meanJacobian.map((row) =>
        row.map((x) => expect.closeTo(x, 12)),
      ),
      sensitivity: sensitivity.map((x) => expect.closeTo(x, 12)),
    });
    expect(report.summary.from.p).toBeNull();
  });

  test("float32, and another temperature", async () => {
    const labelled = { label: "label" };
    const narrow = { ...digits, dtype: undefined };
    expectNear(await reportOf(narrow, labelled), truth, 1e-5);
    const report = await reportOf({ ...digits, temperature: 2 }, labelled);
    const rows = readRows(at("results.arrow"), "label");
    expectNear(report, truthOf(rows, 2), 1e-9);
  });

  test("a threshold: |J| comes from p, and the page has what was dropped", async () => {
    const csr = { layout: "csr", threshold: 1e-4 } as const;
    const report = await reportOf({ ...digits, ...csr }, { label: "label" });
    expectNear(report, truth, 1e-9);
    const dropped = truthRows
      .flatMap((row) => truthOf([row]).classes.meanJacobian.flat())
      .filter((size) => size < 1e-4);
    expect(report.summary.droppedSum).toBeCloseTo(sum(dropped), 9);
    expect(readFileSync(at("page.html"), "utf8")).toMatch(
      /<dt>dropped<\/dt><dd>[\d.]+ in \|J\|, at most /,
    );
  });
});

test.each(["softmax", "log_softmax"] as const)(
  "120 classes, of which 7 are shown: two passes over %s",
  async (result) => {
    const logits = drawnLogits(30, 120);
    const labels = logits.map((_, r) => (r % 5 === 0 ? -1 : (r * 7) % 120));
    const input = writeLabelled(at("wide.arrow"), logits, labels);
    const run = { input, keep: ["label"], dtype: "float64" } as const;
    await built.run({ ...run, output: at("p.arrow"), force: true });
    const all = truthOf(readRows(at("p.arrow"), "label"));
    const results = at("wide-results.arrow");
    await built.run({ ...run, emit: [result], output: results, force: true });
    const seen: number[] = [];
    const resolved = {
      ...{ results, output: "", title: "", force: false, sync: true },
      ...{ classNames: undefined, classes: 7, label: "label" },
    };
    const found = findResults(results);
    const report = await collectNumbers(found, resolved, {
      onProgress: (done, rows) => seen.push(done / rows),
    });
    expectNear(report, all, 1e-9);
    expect(report.rows.mostUncertain.length).toBe(20);
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    const diagonal = all.classes.sensitivity;
    const least = diagonal.toSorted((a, b) => b - a)[6] as number;
    expect(report.classes.shown).toEqual(
      diagonal.flatMap((size, k) => (size >= least ? [k] : [])),
    );
  },
);

test("calibration of four rows", async () => {
  const p = rows("0.9 0.1; 0.8 0.2; 0.8 0.2; 0.3 0.7");
  const logits = p.map((row) => row.map(Math.log));
  const input = writeLabelled(at("hand.arrow"), logits, [0, 1, 0, 1]);
  const run = { input, keep: ["label"] };
  const { calibration } = await reportOf(run, { label: "label" });
  const squares = 0.1 ** 2 + 0.8 ** 2 + 0.2 ** 2 + 0.3 ** 2;
  expect(calibration).toMatchObject({
    accuracy: 0.75,
    // 0.8 is the upper end of a bin: |½ - 0.8| of two rows, |1 - 0.9| and |1 - 0.7| of one each.
    ece: expect.closeTo((2 * 0.3 + 0.1 + 0.3) / 4, 12),
    nll: expect.closeTo(-Math.log(0.9 * 0.2 * 0.8 * 0.7) / 4, 12),
    // (p − y)² is the same for both of two classes.
    brier: expect.closeTo((2 * squares) / 4, 12),
  });
  const full = calibration?.bins.flatMap(({ rows, high }) =>
    rows > 0 ? [rows, high] : [],
  );
  expect(full).toEqual([1, 11 / 15, 2, 12 / 15, 1, 14 / 15]);
});

test("rows whose confidence rounds to 1, and rows of one class", async () => {
  const gaps = [1, 10, 17, 18, 30, 37, 38, 100, 700, 2000];
  const input = at("gaps.arrow");
  writeLogits(input, {
    rows: gaps.length,
    classes: 3,
    logit: (r, k) => (k === 1 ? (gaps[r] as number) : 0),
  });
  const { confidence, summary } = await reportOf({ input });
  const found = gaps.map((gap) => 2 / (Math.exp(gap) + 2));
  const lostFloat32 = found.filter((u) => u > 0 && Math.fround(1 - u) === 1);
  expect(confidence.uncertainty).toMatchObject({
    ...{ rows: 10, zero: 1, lostFloat64: 2 },
    lostFloat32: lostFloat32.length,
  });
  expect(summary.from.uncertainty).toBe("p");
});
