import { describe, expect, test } from "vitest";
import * as code from "../../src/kernels/portable/codes.js";
import type { SumsSpec } from "../../src/kernels/sums-layout.js";
import { rows } from "../support/input-runs.js";
import { normal, random } from "../support/random.js";
import { moment, sumsByOrder, sumsSpace } from "../support/sums-oracle.js";

const Q = 4;
const K = 3;

/** Every code of a vector, every factor, weights, an input of each kind. */
const SPEC: SumsSpec = {
  classes: Q,
  features: K,
  coefficients: null,
  temperature: 1,
  inputs: [1, Q],
  moments: [
    moment(code.SOFTMAX, Q),
    moment(code.PACKED, 10),
    moment(code.PACKED, 10, "x"),
    moment(code.PACKED, 10, "outer"),
    moment(code.DIAGONAL, Q, "square"),
    { ...moment(code.COLUMN, Q), param: 2 },
    moment(code.THIRD, 20, "x"),
    moment(code.GRADIENT, Q, "x", 0),
    moment(code.SCORE_OUTER, 10, "outer", 0),
    moment(code.CORRECT, 1, "one", 0),
    moment(code.CROSS_ENTROPY, 1, "one", 0),
    moment(code.PRODUCT, Q, "one", 1),
    moment(code.ONE, 1, "x"),
    moment(code.ONE, 1, "outer"),
    moment(code.ENTROPY, 1),
  ],
};

function rowsFor(rows: number, seed: number) {
  const uniform = random(seed);
  const gauss = normal(uniform);
  const draw = (n: number, value: () => number) =>
    Float64Array.from({ length: n }, value);
  const logits = draw(rows * Q, () => 4 * gauss());
  const features = draw(rows * K, gauss);
  const weights = draw(rows, () => Math.floor(5 * uniform()));
  const labels = draw(rows, () => Math.floor(Q * uniform()));
  // Bad rows of each kind, and a masked class, which has no label.
  if (rows > 40) {
    logits[4 * Q + 1] = Number.NaN;
    logits.fill(-Infinity, 9 * Q, 10 * Q);
    logits[11 * Q] = -Infinity;
    labels[11] = 1;
    features[13 * K] = Number.POSITIVE_INFINITY;
    weights[17] = -1;
    weights[19] = Number.NaN;
    logits[1 * Q + 2] = 800;
  }
  return {
    rows,
    logits,
    features,
    weights,
    inputs: [labels, draw(rows * Q, gauss)],
    groups: Int32Array.from({ length: rows }, () => Math.floor(3 * uniform())),
  };
}

describe("sums have the bits of the promised order of additions", () => {
  test.each([
    [1, false, 1024],
    [7, false, 1024],
    [8, false, 1024],
    [65, false, 1024],
    [1300, false, 1024],
    [1300, false, 2048],
    [65, true, 1024],
    [1300, true, 1024],
    [1300, true, 2048],
  ])(
    "%i rows, by group: %s, up to %i rows at once",
    (rows, isGrouped, maxRows) => {
      const { groups, ...given } = rowsFor(rows, rows);
      const input = isGrouped ? { ...given, groups } : given;
      const space = sumsSpace(SPEC, maxRows);
      space.ensureGroups(isGrouped ? 3 : 1);
      const { bad, overflow } = space.add(input);
      expect(overflow).toBeNull();
      expect(bad).toEqual(rows > 40 ? [4, 9, 13, 17, 19] : []);
      for (let group = 0; group < space.groups; group++) {
        const expected = sumsByOrder(SPEC, input, group);
        const found = space.rounded(group);
        expect(found.rows).toBe(expected.rows);
        expect(Array.from(found.sums)).toEqual(
          expected.sums.map((x) => x || 0),
        );
      }
    },
  );
});

test.each(rows("1 1; 2 1; 3 1.7; 5 1.7; 8 1; 11 0.3"))(
  "sums of p, J and its diagonal, for %i classes and the temperature %d",
  (classes = 0, temperature = 0) => {
    const gauss = normal(random(classes));
    const rows = 100;
    const given = {
      rows,
      logits: Float64Array.from({ length: rows * classes }, () => 4 * gauss()),
      weights: Float64Array.from({ length: rows }, () => gauss() ** 2),
    };
    const moments = [
      moment(code.PACKED, (classes * (classes + 1)) / 2),
      moment(code.DIAGONAL, classes),
      moment(code.SOFTMAX, classes),
    ];
    // What is stored beyond one vector must not change the next one.
    for (let n = 0; n < moments.length; n++) {
      const spec = {
        ...{ classes, features: 0, coefficients: null, inputs: [] },
        ...{ temperature, moments: moments.slice(n) },
      };
      const space = sumsSpace(spec);
      space.add(given);
      expect(Array.from(space.rounded(0).sums)).toEqual(
        sumsByOrder(spec, given).sums.map((x) => x || 0),
      );
    }
    const alone = { moments: moments.slice(0, 1), temperature };
    const space = sumsSpace({ classes, ...alone });
    space.add(given);
    const all = sumsSpace({ classes, moments, temperature });
    all.add(given);
    const { sums } = space.rounded(0);
    expect(sums).toEqual(all.rounded(0).sums.slice(0, sums.length));
  },
);

test.each([1024, 4096])(
  "a sum of terms that overflows names its block, with up to %i rows at once",
  (maxRows) => {
    const moments = [moment(code.ONE, 1, "outer")];
    const space = sumsSpace({ classes: 2, features: 1, moments }, maxRows);
    const features = new Float64Array(1100).fill(1);
    features[1050] = 1e200;
    const logits = new Float64Array(2200);
    const found = space.add({ rows: 1100, logits, features });
    expect(found).toEqual({ bad: [], overflow: 1024 });
  },
);

test("accumulators are exact over the whole range of float64", () => {
  const uniform = random(8);
  const sums = (values: number[]) => {
    const moments = [moment(code.ONE, 1, "x")];
    const space = sumsSpace({ classes: 1, features: 1, moments });
    const logits = Float64Array.of(0);
    for (const value of values)
      space.add({ rows: 1, logits, features: Float64Array.of(value) });
    return space.rounded(0).sums[1];
  };
  expect(sums([1e308, 1, -1e308])).toBe(0); // 1 is below 2^-160 of the largest term
  expect(sums([1e30, 1, -1e30])).toBe(1);
  expect(sums([5e-324, 5e-324, 2 ** -1022])).toBe(2 ** -1022 + 1e-323);
  expect(sums([-5e-324])).toBe(-5e-324);
  expect(sums([2 ** 53, 1, 2 ** -60])).toBe(2 ** 53 + 2);
  expect(sums([2 ** 53, 1])).toBe(2 ** 53);
  expect(sums([Number.MAX_VALUE, Number.MAX_VALUE])).toBe(Infinity);
  const values = Array.from(
    { length: 400 },
    () => (uniform() - 0.5) * 2 ** Math.floor(80 * uniform() - 40),
  );
  const scale = 2n ** 120n;
  const total = values.reduce(
    (sum, v) => sum + BigInt(v * 2 ** 100) * (scale >> 100n),
    0n,
  );
  expect(sums(values)).toBe(Number(total) / 2 ** 120);
});

test("the state of accumulators does not depend on the order of terms", () => {
  const uniform = random(9);
  const spec = { classes: 1, features: 2, moments: [moment(code.ONE, 1, "x")] };
  // Of every size, and halfway between two digits of any place.
  const values = Array.from({ length: 1049 }, (_, n) => {
    const size = 2 ** (2 * n - 1074);
    return (n % 3 === 0 ? size : size * (1 + uniform())) * (n % 2 ? 1 : -1);
  });
  const shuffled = values
    .map((value) => ({ value, at: uniform() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
  const stateOf = (terms: number[]) => {
    const space = sumsSpace(spec);
    for (const [n, term] of terms.entries())
      space.add({
        rows: 1,
        logits: Float64Array.of(0),
        features: Float64Array.of(term, terms[terms.length - 1 - n] as number),
      });
    return space.take(0, 1);
  };
  const whole = stateOf(shuffled);
  expect(stateOf(values)).toEqual(whole);
  expect(stateOf(values.toReversed())).toEqual(whole);
  const both = (sums: number[]) => [...sums, ...sums.toReversed()];
  const merged = sumsSpace(spec);
  for (const part of [values.slice(0, 300), values.slice(300)])
    merged.mergeAll([0], stateOf(both(part)));
  expect(merged.take(0, 1)).toEqual(stateOf(both(values)));
});
