import type { Decimal } from "decimal.js";
import { afterAll, expect, test } from "vitest";
import * as code from "../../src/kernels/portable/codes.js";
import { THIRD } from "../../src/kernels/portable/codes.js";
import { EPSILON, Exact, exact } from "../support/exact.js";
import { normal, random } from "../support/random.js";
import { moment, pairs, sumsSpace } from "../support/sums-oracle.js";
import { sum as total } from "../support/truth.js";

// Sums against 80 digits, on the scales of docs/effects.md: Σ |terms|, for T with q + p in the place of q - p.

const [Q, K] = [4, 3];
const largest: Record<string, number> = {};
afterAll(() => console.log("largest errors in ε:", largest));

interface Row {
  x: number[];
  w: number;
  y: number;
  p: Decimal[];
  q: Decimal[];
}

/** Softmax of x B, or of logits of which -inf masks a class. */
function rowOf(logits: (Decimal | null)[]): { p: Decimal[]; q: Decimal[] } {
  const most = logits.reduce((a, b) => (a === null || b?.gt(a) ? b : a));
  const e = logits.map((o) => o?.minus(most as Decimal).exp() ?? new Exact(0));
  const all = total(e);
  const others = (k: number) => total(e.filter((_, c) => c !== k));
  return {
    p: e.map((value) => value.div(all)),
    q: e.map((_, k) => others(k).div(all)),
  };
}

const one = new Exact(1);
const at = (values: Decimal[], k: number) => values[k] as Decimal;
const J = ({ p, q }: Row, j: number, l: number) =>
  j === l ? at(p, j).times(at(q, j)) : at(p, j).times(at(p, l)).neg();
const score = ({ p, q, y }: Row, j: number) =>
  j === y ? at(q, j) : at(p, j).neg();

/** Returns T_jlc and its scale. */
function T({ p, q }: Row, [j, l, c]: readonly [number, number, number]) {
  const twice = j === l ? j : l === c ? l : null;
  if (twice === null) {
    const value = at(p, j).times(at(p, l)).times(at(p, c)).times(2);
    return { value, scale: value };
  }
  const other = j === l ? c : j;
  const factor =
    other === twice
      ? at(p, j).times(at(q, j))
      : at(p, twice).times(at(p, other));
  const value = factor.times(at(q, twice).minus(at(p, twice)));
  return { value: other === twice ? value : value.neg(), scale: factor };
}

const triples = pairs(Q).flatMap(([j, l]) =>
  Array.from({ length: Q - l }, (_, n) => [j, l, l + n] as const),
);

/** Returns the error of a sum in units of ε Σ |terms|, or of the scale. */
function errorOf(found: number, terms: { value: Decimal; scale: Decimal }[]) {
  const scale = total(terms.map((term) => term.scale.abs()));
  const truth = total(terms.map(({ value }) => value));
  const error = exact(found).minus(truth).abs();
  if (scale.eq(0)) return found === 0 ? 0 : Number.POSITIVE_INFINITY;
  return error.div(scale.times(EPSILON)).toNumber();
}

function check(title: string, error: number, limit: number) {
  largest[title] = Math.max(largest[title] ?? 0, error);
  expect(error, title).toBeLessThanOrEqual(limit);
}

/** Compares all sums of rows with their definitions. */
function compare(title: string, rows: Row[], spec: object, given: object) {
  const space = sumsSpace({
    ...{ classes: Q, features: K, inputs: [1] },
    moments: [
      moment(code.PACKED, 10),
      moment(code.PACKED, 10, "x"),
      moment(THIRD, 20, "x"),
      moment(code.PACKED, 10, "outer"),
      moment(THIRD, 20, "outer"),
      moment(code.GRADIENT, Q, "x", 0),
      moment(code.SOFTMAX, Q, "x"),
    ],
    ...spec,
  });
  const { bad, overflow } = space.add({
    rows: rows.length,
    features: Float64Array.from(rows.flatMap(({ x }) => x)),
    weights: Float64Array.from(rows, ({ w }) => w),
    inputs: [Float64Array.from(rows, ({ y }) => y)],
    ...given,
  });
  expect([bad, overflow]).toEqual([[], null]);
  const { sums } = space.rounded(0);
  const factors = {
    one: [() => one],
    x: Array.from(
      { length: K },
      (_, k) =>
        ({ x }: Row) =>
          exact(x[k] ?? 0),
    ),
    outer: pairs(K).map(
      ([k, l]) =>
        ({ x }: Row) =>
          exact(x[k] ?? 0).times(exact(x[l] ?? 0)),
    ),
  };
  const same = (value: Decimal) => ({ value, scale: value });
  let next = 1;
  const sumsOf = (
    name: string,
    vectors: ((row: Row) => { value: Decimal; scale: Decimal })[],
    by: keyof typeof factors,
    limit: number,
  ) => {
    for (const vector of vectors) {
      const values = rows.map(vector);
      // Sums of a factor's moment have the factor inside.
      for (const factor of factors[by]) {
        const terms = rows.map((row, r) => {
          const { value, scale } = values[r] as (typeof values)[number];
          const times = factor(row).times(exact(row.w));
          return { value: value.times(times), scale: scale.times(times) };
        });
        const found = sums[next++] as number;
        check(`${title}: ${name}`, errorOf(found, terms), limit);
      }
    }
  };
  const j = pairs(Q).map(
    ([a, b]) =>
      (row: Row) =>
        same(J(row, a, b)),
  );
  const t = triples.map((triple) => (row: Row) => T(row, triple));
  const classes = Array.from({ length: Q }, (_, c) => c);
  sumsOf("J", j, "one", 13);
  sumsOf("J ⊗ x", j, "x", 13);
  sumsOf("T ⊗ x", t, "x", 13);
  sumsOf("J ⊗ xxᵀ", j, "outer", 13);
  sumsOf("T ⊗ xxᵀ", t, "outer", 14);
  sumsOf(
    "score",
    classes.map((c) => (row: Row) => same(score(row, c).neg())),
    "x",
    13,
  );
  sumsOf(
    "p ⊗ x",
    classes.map((c) => (row: Row) => same(at(row.p, c))),
    "x",
    13,
  );
}

test.each([5, 50])("logits from coefficients up to %f", (size) => {
  const uniform = random(size * 10);
  const gauss = normal(uniform);
  const b = Float64Array.from(
    { length: K * Q },
    () => size * (2 * uniform() - 1),
  );
  const rows = Array.from({ length: 70 }, (): Row => {
    const x = [1, gauss(), 3 * gauss()];
    const logits = Array.from({ length: Q }, (_, c) =>
      total(x.map((value, k) => exact(value).times(exact(b[k * Q + c] ?? 0)))),
    );
    const [w, y] = [3 * uniform(), Math.floor(Q * uniform())];
    return { x, w, y, ...rowOf(logits) };
  });
  compare(`|B| <= ${size}`, rows, { coefficients: b }, {});
});

test("saturated rows, rows near ½ and masked classes", () => {
  const gauss = normal(random(3));
  const kinds: ((n: number) => number[])[] = [
    (n) => [0, -40 - n, -600 + n, -36.5],
    (n) => [1e-10 * n, 0, -45, -60 - n],
    (n) => [0, Number.NEGATIVE_INFINITY, gauss(), 3 + n / 7],
    (n) => [300 * gauss(), 300 * gauss(), 300 * gauss(), n],
    (n) => [Math.log(2) + 1e-9 * n, 0, 0, -Infinity],
  ];
  for (const [k, kind] of kinds.entries()) {
    const logits = Array.from({ length: 40 }, (_, n) => kind(n));
    const rows = logits.map((o, n): Row => {
      const x = [1, gauss(), gauss()];
      const finite = o.map((v) => (v === -Infinity ? null : exact(v)));
      return { x, w: 1 + (n % 3), y: 0, ...rowOf(finite) };
    });
    compare(
      `hard rows ${k}`,
      rows,
      {},
      { logits: Float64Array.from(logits.flat()) },
    );
  }
});
