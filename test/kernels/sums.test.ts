import { describe, expect, test } from "vitest";
import * as code from "../../src/kernels/portable/codes.js";
import {
  BY,
  CORRECT,
  momentSums,
  ONE,
  SCORE_OUTER,
  type SumsRows,
  type SumsSpec,
  THIRD,
} from "../../src/kernels/sums.js";
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
    moment(THIRD, 20, "x"),
    moment(code.GRADIENT, Q, "x", 0),
    moment(SCORE_OUTER, 10, "outer", 0),
    moment(CORRECT, 1, "one", 0),
    moment(code.CROSS_ENTROPY, 1, "one", 0),
    moment(code.PRODUCT, Q, "one", 1),
    moment(ONE, 1, "x"),
    moment(ONE, 1, "outer"),
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
    [1, false],
    [7, false],
    [8, false],
    [65, false],
    [1300, false],
    [65, true],
    [1300, true],
  ])("%i rows, by group: %s", (rows, isGrouped) => {
    const { groups, ...given } = rowsFor(rows, rows);
    const input = isGrouped ? { ...given, groups } : given;
    const space = sumsSpace(SPEC);
    const { bad, overflow } = space.add(input);
    expect(overflow).toBeNull();
    expect(bad).toEqual(rows > 40 ? [4, 9, 13, 17, 19] : []);
    for (let group = 0; group < space.groups; group++) {
      const expected = sumsByOrder(SPEC, input, group);
      const found = space.rounded(group);
      expect(found.rows).toBe(expected.rows);
      expect(Array.from(found.sums)).toEqual(expected.sums.map((x) => x || 0));
    }
  });
});

test("the state is the same for any partition at multiples of 1,024 rows and any order of merging", () => {
  const input = rowsFor(5000, 3);
  const part = (from: number, to: number): SumsRows => ({
    rows: to - from,
    logits: input.logits.subarray(from * Q, to * Q),
    features: input.features.subarray(from * K, to * K),
    weights: input.weights.subarray(from, to),
    inputs: input.inputs.map((v, n) => {
      const values = SPEC.inputs[n] as number;
      return v.subarray(from * values, to * values);
    }),
    groups: input.groups.subarray(from, to),
  });
  const whole = sumsSpace(SPEC);
  expect(whole.add(input).overflow).toBeNull();
  const parts = [
    [0, 1024],
    [1024, 4096],
    [4096, 5000],
  ].map(([from, to]) => {
    const space = sumsSpace(SPEC);
    space.add(part(from as number, to as number));
    return space;
  });
  for (const order of [
    [0, 1, 2],
    [2, 0, 1],
  ]) {
    const merged = sumsSpace(SPEC);
    for (const n of order) {
      const space = parts[n] as ReturnType<typeof sumsSpace>;
      for (let g = 0; g < space.groups; g++) merged.merge(g, space.take(g, 1));
    }
    expect(merged.groups).toBe(whole.groups);
    expect(merged.take(0, 3)).toEqual(whole.take(0, 3));
  }
  whole.clear();
  expect(whole.groups).toBe(0);
  whole.add(input);
  const again = sumsSpace(SPEC);
  again.add(input);
  expect(whole.take(0, 3)).toEqual(again.take(0, 3));
});

test("features times the identity are the same logits", () => {
  const { rows, logits } = rowsFor(300, 5);
  const moments = [moment(code.PACKED, 10), moment(THIRD, 20, "x")];
  const identity = Float64Array.from({ length: Q * Q }, (_, n) =>
    n % (Q + 1) === 0 ? 1 : 0,
  );
  const finite = logits.map((o) => (Number.isFinite(o) ? o : 1));
  const given = sumsSpace({ classes: Q, features: Q, moments });
  given.add({ rows, logits: finite, features: finite });
  const computed = sumsSpace({
    classes: Q,
    features: Q,
    moments,
    coefficients: identity,
  });
  computed.add({ rows, features: finite });
  expect(computed.take(0, 1)).toEqual(given.take(0, 1));
});

test("a sum of terms that overflows names its block", () => {
  const space = sumsSpace({
    classes: 2,
    features: 1,
    moments: [moment(ONE, 1, "outer")],
  });
  const features = new Float64Array(1100).fill(1);
  features[1050] = 1e200;
  const logits = new Float64Array(2200);
  expect(space.add({ rows: 1100, logits, features })).toEqual({
    bad: [],
    overflow: 1024,
  });
});

test("accumulators are exact over the whole range of float64", () => {
  const uniform = random(8);
  const sums = (values: number[]) => {
    const space = sumsSpace({
      classes: 1,
      features: 1,
      moments: [moment(ONE, 1, "x")],
    });
    for (const value of values)
      space.add({
        rows: 1,
        logits: Float64Array.of(0),
        features: Float64Array.of(value),
      });
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
  const spec = { classes: 1, features: 1, moments: [moment(ONE, 1, "x")] };
  const expected = sumsByOrder(
    { ...SPEC, ...spec, inputs: [] },
    { rows: 1, logits: Float64Array.of(0), features: Float64Array.of(0) },
  );
  expect(expected.rows).toBe(1);
  const scale = 2n ** 120n;
  const total = values.reduce(
    (sum, v) => sum + BigInt(v * 2 ** 100) * (scale >> 100n),
    0n,
  );
  expect(sums(values)).toBe(Number(total) / 2 ** 120);
});

test("momentSums counts the factors", () => {
  expect(SPEC.moments.map((m) => momentSums(m, K)).slice(0, 5)).toEqual([
    4, 10, 30, 60, 12,
  ]);
  expect(Object.keys(BY)).toHaveLength(4);
});
