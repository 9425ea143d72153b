import { expect, test } from "vitest";
import type { Example } from "../../src/reader/example.js";
import { pOfBlock, pOfLogBlock } from "../../src/reader/p-of-block.js";
import {
  CalibrationSums,
  RELIABILITY_BINS,
} from "../../src/report/numbers/calibration.js";
import { ClassPairs, ClassSums } from "../../src/report/numbers/classes.js";
import { Collected } from "../../src/report/numbers/collect.js";
import { Histogram } from "../../src/report/numbers/confidence.js";
import { Largest } from "../../src/report/numbers/rows.js";
import type { StoredRun } from "../../src/results/run-metadata.js";
import { exactRow } from "../support/exact.js";
import { normal, random } from "../support/random.js";

function example(
  row: number,
  p: number[],
  like: Partial<Example> = {},
): Example {
  const predicted = p.indexOf(Math.max(...p));
  const uncertainty = p.reduce(
    (sum, x, k) => (k === predicted ? sum : sum + x),
    0,
  );
  return {
    row,
    batch: 0,
    k: row,
    isNull: false,
    p,
    predicted,
    confidence: p[predicted] as number,
    uncertainty,
    entropy: 0,
    label: -1,
    block: null,
    droppedMax: Number.NaN,
    droppedSum: Number.NaN,
    ...like,
  };
}

const run = { classes: 3, temperature: 1, layout: "bsr" } as StoredRun;

test("a histogram: ends, and what lies beyond", () => {
  const histogram = new Histogram(0, 1, 4);
  for (const value of [0, 0.24, 0.25, 0.5, 0.99, 1, 7, -3, Number.NaN])
    histogram.add(value);
  expect(Array.from(histogram.counts)).toEqual([3, 1, 1, 3]);
  expect(histogram.rows).toBe(8);
  expect([histogram.min, histogram.max]).toEqual([-3, 7]);
});

test("the largest keys, of equal keys those that came first", () => {
  const largest = new Largest<string>(3);
  let made = 0;
  [5, 7, 7, 1, 9, 7, 8].forEach((key, n) => {
    largest.offer(key, () => {
      made++;
      return `${key} at ${n}`;
    });
  });
  expect(largest.items).toEqual(["9 at 4", "8 at 6", "7 at 1"]);
  expect(made).toBe(5);
});

test("nothing that is collected grows with the rows", () => {
  const sizeOf = (rows: number) => {
    const collected = new Collected(run);
    const uniform = random(1);
    for (let row = 0; row < rows; row++) {
      const [a, b, c] = [uniform(), uniform(), uniform()];
      const sum = a + b + c;
      collected.add(example(row, [a / sum, b / sum, c / sum]), 0);
    }
    const { confidence, mostUncertain, pairs } = collected;
    return {
      uncertainty: confidence.uncertainty.counts.length,
      confidence: confidence.confidence.counts.length,
      mostUncertain: mostUncertain.items.length,
      pairs: pairs?.shown.length,
    };
  };
  const many = sizeOf(60_000);
  expect(many).toEqual(sizeOf(150_000));
  expect(many).toMatchObject({ mostUncertain: 20 });
});

test("|J| of blocks, of triangles, of entries and of p is the same", () => {
  const p = [0.7, 0.2, 0.1];
  const T = 2;
  const block = p.flatMap((own, i) =>
    p.map((other, j) => (i === j ? own * (1 - own) : -own * other) / T),
  );
  const triangle = [0, 1, 2, 4, 5, 8].map((at) => block[at] as number);
  const kinds = [
    null,
    { kind: "square", values: block },
    { kind: "triangle", values: triangle },
    { kind: "entries", values: block, indices: block.map((_, at) => at) },
  ] as const;
  for (const kind of kinds)
    for (const shown of [
      [0, 1, 2],
      [0, 2],
    ]) {
      const pairs = new ClassPairs(3, shown, T);
      const sums = new ClassSums(3, T);
      for (let n = 0; n < 4; n++) {
        pairs.add(example(n, p, { block: kind }));
        sums.add(example(n, p, { block: kind }));
      }
      for (const i of shown) {
        expect(sums.sensitivity[i]).toBeCloseTo(4 * (block[4 * i] ?? 0), 14);
        for (const j of shown) {
          const wanted = Math.abs(block[3 * i + j] as number);
          expect(pairs.mean(i, j)).toBeCloseTo(wanted, 14);
        }
      }
    }
});

test("the confusion matrix of some classes: rows with p and a label", () => {
  const pairs = new ClassPairs(3, [0, 2], 1);
  const rows = [
    { p: [0.8, 0.1, 0.1], label: 0 },
    { p: [0.1, 0.1, 0.8], label: 0 },
    { p: [0.2, 0.1, 0.7], label: 0 },
    { p: [0.1, 0.8, 0.1], label: 0 },
    { p: [0.1, 0.1, 0.8], label: 2 },
    { p: [0.1, 0.1, 0.8], label: 1 },
    { p: [0.1, 0.1, 0.8], label: -1 },
  ];
  rows.forEach(({ p, label }, n) => {
    pairs.add(example(n, p, { label }));
  });
  pairs.add(example(9, [1, 0, 0], { p: null, label: 0 }));
  const matrix = [0, 2].map((i) => [0, 2].map((j) => pairs.confused(i, j)));
  expect(matrix).toEqual([
    [1, 2],
    [0, 1],
  ]);
  expect([pairs.labelledRows, pairs.rows]).toEqual([6, 7]);
});

test("p had back from blocks, against 80 digits", () => {
  const draw = normal(random(3));
  for (const [scale, classes, T] of [
    [1, 3, 1],
    [5, 10, 0.5],
    [40, 6, 3],
    [100, 5, 1],
    [0, 4, 1],
  ] as const)
    for (let n = 0; n < 20; n++) {
      const logits = Array.from({ length: classes }, () => scale * draw());
      const { p: exactP, jacobian } = exactRow(logits.map((o) => o / T));
      const exactUncertainty = exactP
        .slice()
        .sort((a, b) => b.cmp(a))
        .slice(1)
        .reduce((sum, x) => sum.plus(x));
      const truth = {
        p: exactP.map(Number),
        uncertainty: exactUncertainty.toNumber(),
      };
      const block = exactP.map((_, i) =>
        exactP.map((_, j) => jacobian(i, j).div(T).toNumber()),
      );
      const log = exactP.map((own, i) =>
        exactP.map((_, j) =>
          (i === j ? own.neg().plus(1) : own.neg()).div(T).toNumber(),
        ),
      );
      for (const found of [
        () => {
          const p = new Float64Array(classes);
          const uncertainty = pOfBlock(
            (i, j) => block[i]?.[j] as number,
            p,
            T,
            "float64",
          );
          return { p, uncertainty };
        },
        () => {
          const p = new Float64Array(classes);
          const uncertainty = pOfLogBlock(
            (i, j) => log[i]?.[j] as number,
            p,
            T,
          );
          return { p, uncertainty };
        },
      ].map((of) => of())) {
        truth.p.forEach((wanted, k) => {
          expect(Math.abs((found.p[k] as number) / wanted - 1)).toBeLessThan(
            1e-13,
          );
        });
        expect(
          Math.abs(found.uncertainty / truth.uncertainty - 1),
        ).toBeLessThan(1e-13);
      }
    }
});

test("where a block does not tell p, nothing is made up", () => {
  const of = (p: number[]) => {
    const block = p.map((own, i) =>
      p.map((other, j) => (i === j ? own * (1 - own) : -own * other)),
    );
    const found = new Float64Array(p.length);
    return pOfBlock((i, j) => block[i]?.[j] as number, found, 1, "float64");
  };
  expect(of([0.8, 0.2])).toBeNaN();
  expect(of([0.8, 0.2, 0])).toBeNaN();
  expect(of([1, 0, 0, 0])).toBeNaN();
  expect(of([1])).toBe(0);
  expect(of([0.5, 0.5 - 1e-160, 1e-160])).toBeCloseTo(0.5, 12);
  expect(of([0.5, 0.5, 1e-320])).toBeNaN();
});

test.each([
  [0, 0],
  [0.2, 2],
  [0.8, 11],
  [1, 14],
])(
  "a confidence of %d is in bin %i of 15: a bin has its upper end",
  (confidence, bin) => {
    const sums = new CalibrationSums();
    sums.add(example(0, [0.5, 0.5], { label: 0, confidence }));
    expect([...sums.binRows]).toEqual(
      Array.from({ length: RELIABILITY_BINS }, (_, k) => +(k === bin)),
    );
  },
);

test("the NLL and the Brier score of a row whose p is 1 in float64", () => {
  const sums = new CalibrationSums();
  sums.add(example(0, [1, 1e-20], { label: 0, uncertainty: 1e-20 }));
  expect(sums.nllSum).toBe(1e-20);
  expect(sums.brierSum).toBe(2e-40);
});
