import type { Decimal } from "decimal.js";
import { expect, test } from "vitest";
import {
  createModel,
  type EffectKind,
  estimates,
  inferenceAt,
} from "../../src/effects/estimates.js";
import { type Means, tripleIndex } from "../../src/effects/means.js";
import { pairIndex } from "../../src/results/reductions.js";
import { EPSILON, Exact, exact } from "../support/exact.js";
import { normal, random } from "../support/random.js";

// Errors of estimates and variances for given B, V and means, in 80-digit arithmetic by the formulas of the derivatives
// with all indices.

const [K, Q] = [3, 4];
const ZERO = new Exact(0);
const classes = [0, 1, 2, 3];
const features = [0, 1, 2];
const KINDS: EffectKind[] = [
  ...(["coefficients", "probability", "contrast"] as const),
  ...(["dydx", "eydx", "dyex", "eyex"] as const),
];

/** A sum of terms and the sum of their absolute values. */
type Sum = { value: Decimal; size: Decimal };

function sumOf(terms: Decimal[]): Sum {
  return {
    value: terms.reduce((sum, term) => sum.plus(term), ZERO),
    size: terms.reduce((sum, term) => sum.plus(term.abs()), ZERO),
  };
}

/** Returns estimates and rows of D as sums, by the definitions. */
function formulas(b: Float64Array, m: Required<Means>, old: Required<Means>) {
  const at = (values: Float64Array, n: number) => exact(values[n] as number);
  const B = (l: number, k: number) => at(b, k * Q + l);
  const K2 = (K * (K + 1)) / 2;
  const J = (j: number, l: number) => at(m.j, pairIndex(j, l, Q));
  const Jx = (j: number, l: number, r: number, from = m) =>
    at(from.jx, pairIndex(j, l, Q) * K + r);
  const Jxx = (j: number, l: number, k: number, r: number) =>
    at(m.jxx, pairIndex(j, l, Q) * K2 + pairIndex(k, r, K));
  const Tx = (j: number, l: number, c: number, r: number) =>
    at(m.tx, tripleIndex(j, l, c, Q) * K + r);
  const Txx = (j: number, l: number, c: number, k: number, r: number) =>
    at(m.txx, tripleIndex(j, l, c, Q) * K2 + pairIndex(k, r, K));
  const px = (l: number, k: number) => at(m.px, l * K + k);
  const x = (k: number) => at(m.x, k);
  const p = (l: number) => at(m.p, l);
  const only = (is: boolean, ...terms: Decimal[]) => (is ? terms : []);
  const over = (term: (l: number) => Decimal) => classes.map(term);
  type Terms = [
    (j: number, k: number) => Decimal[],
    (j: number, k: number, c: number, r: number) => Decimal[],
  ];
  const table: Record<EffectKind, Terms> = {
    coefficients: [
      (j, k) => [B(j, k), B(0, k).neg()],
      (j, k, c, r) => only(c === j && k === r, new Exact(1)),
    ],
    probability: [(j) => [p(j)], (j, _k, c, r) => [Jx(j, c, r)]],
    contrast: [
      (j) => [p(j), at(old.p, j).neg()],
      (j, _k, c, r) => [Jx(j, c, r), Jx(j, c, r, old).neg()],
    ],
    dydx: [
      (j, k) => over((l) => J(j, l).times(B(l, k))),
      (j, k, c, r) => [
        ...only(k === r, J(j, c)),
        ...over((l) => B(l, k).times(Tx(j, l, c, r))),
      ],
    ],
    eydx: [
      (j, k) => [B(j, k), ...over((l) => p(l).times(B(l, k)).neg())],
      (j, k, c, r) => [
        ...only(k === r && j === c, new Exact(1)),
        ...only(k === r, p(c).neg()),
        ...over((l) =>
          B(l, k)
            .times(Jx(l, c, r))
            .neg(),
        ),
      ],
    ],
    dyex: [
      (j, k) => over((l) => Jx(j, l, k).times(B(l, k))),
      (j, k, c, r) => [
        ...only(k === r, Jx(j, c, k)),
        ...over((l) => B(l, k).times(Txx(j, l, c, k, r))),
      ],
    ],
    eyex: [
      (j, k) => [
        x(k).times(B(j, k)),
        ...over((l) => px(l, k).times(B(l, k)).neg()),
      ],
      (j, k, c, r) => [
        ...only(k === r && j === c, x(k)),
        ...only(k === r, px(c, k).neg()),
        ...over((l) =>
          B(l, k)
            .times(Jxx(l, c, k, r))
            .neg(),
        ),
      ],
    ],
  };
  return table;
}

test("estimates and variances for given means, coefficients up to 50", () => {
  const largest: Record<string, [number, number]> = {};
  for (let seed = 1; seed <= 6; seed++) {
    const uniform = random(seed);
    const draw = normal(uniform);
    const size = [0.5, 5, 50][seed % 3] as number;
    const b = Float64Array.from({ length: K * Q }, (_, at) =>
      at % Q === 0 ? 0 : size * (2 * uniform() - 1),
    );
    const rows = Array.from({ length: 5 }, () =>
      Float64Array.of(1, draw(), 3 * draw()),
    );
    const v = covariance(K * (Q - 1), draw);
    const n = K * (Q - 1);
    const data = { b, classes: Q };
    const means = meansOf(data, rows);
    const before = meansOf(
      data,
      rows.map((x) => x.with(1, 0)),
    );
    const model = createModel([K, Q], b, 0, v);
    const table = formulas(b, means, before);
    for (const kind of KINDS) {
      const [terms, derivatives] = table[kind];
      const found = estimates(
        kind,
        model,
        means,
        features,
        kind === "contrast" ? before : undefined,
      );
      for (const row of found) {
        const [j, k] = [row.class, row.term ?? 0];
        const estimate = sumOf(terms(j, k));
        const d = classes
          .slice(1)
          .flatMap((c) => features.map((r) => sumOf(derivatives(j, k, c, r))));
        let variance = ZERO;
        let scale = ZERO;
        for (let a = 0; a < n; a++)
          for (let c = 0; c < n; c++) {
            const [left, right] = [d[a] as Sum, d[c] as Sum];
            const entry = exact(v[a * n + c] as number);
            const term = left.value.times(entry).times(right.value);
            variance = variance.plus(term);
            const absolute = left.size.times(entry.abs()).times(right.size);
            scale = scale.plus(absolute);
          }
        const error = relative(exact(row.estimate), estimate);
        const squared = exact(row.stdError as number).pow(2);
        // Squaring a rounded root adds up to one ε of the variance.
        const varianceError = relative(squared, {
          value: variance,
          size: scale,
        });
        const [first, second] = largest[kind] ?? [0, 0];
        largest[kind] = [
          Math.max(first, error),
          Math.max(second, varianceError),
        ];
      }
    }
  }
  for (const [kind, errors] of Object.entries(largest))
    console.log(
      `${kind}: estimate ${errors[0].toFixed(2)} ε, variance ${errors[1].toFixed(2)} ε`,
    );
  for (const [estimate, variance] of Object.values(largest)) {
    expect(estimate).toBeLessThan(2);
    expect(variance).toBeLessThan(4);
  }
});

test("a model without reference class has the same effects", () => {
  const uniform = random(8);
  const draw = normal(uniform);
  const [n, m] = [K * Q, K * (Q - 1)];
  const b = Float64Array.from({ length: n }, (_, at) =>
    at % Q === 0 ? 0 : uniform(),
  );
  const rows = Array.from({ length: 5 }, () => Float64Array.of(1, draw(), 2));
  const means = meansOf({ b, classes: Q }, rows);
  const v = covariance(m, draw);
  const whole = new Float64Array(n * n);
  for (let row = 0; row < m; row++)
    whole.set(v.subarray(row * m, (row + 1) * m), (row + K) * n + K);
  // Adding a number to all coefficients of a feature changes no p.
  const moved = b.map((value, at) => value + Math.trunc(at / Q) - 2);
  const model = createModel([K, Q], b, 0, v);
  for (const kind of KINDS) {
    const expected = estimates(kind, model, means, features, means);
    for (const covariance of [v, whole]) {
      const other = createModel([K, Q], moved, undefined, covariance);
      const found = estimates(kind, other, means, features, means);
      for (const [at, { estimate, stdError }] of found.entries()) {
        expect(estimate).toBeCloseTo(expected[at]?.estimate as number, 9);
        expect(stdError).toBeCloseTo(expected[at]?.stdError as number, 9);
      }
    }
  }
});

test("statistics of an estimate", () => {
  const inference = inferenceAt(0.95);
  const { statistic, p_value, conf_low, conf_high } = inference(2, 0.5);
  expect(statistic).toBe(4);
  expect(p_value).toBeCloseTo(6.334248366623973e-5, 18);
  expect(conf_low).toBeCloseTo(2 - 0.5 * 1.959963984540054, 15);
  expect(conf_high).toBeCloseTo(2 + 0.5 * 1.959963984540054, 15);
  const none = { statistic: null, p_value: null };
  expect(inference(2, 0)).toEqual({ ...none, conf_low: 2, conf_high: 2 });
  expect(inference(2, null)).toEqual({
    ...{ ...none, conf_low: null, conf_high: null },
  });
});

/** Returns the error of `found` in ε of the size of a sum. */
function relative(found: Decimal, { value, size }: Sum): number {
  return found.minus(value).abs().div(size).toNumber() / EPSILON;
}

/** Returns a covariance with strong correlations. */
function covariance(n: number, draw: () => number): Float64Array {
  const common = draw();
  const g = Array.from({ length: n }, () =>
    Array.from({ length: n }, (_, at) => (at === 0 ? 30 + common : draw())),
  );
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [row, column] = [Math.floor(at / n), at % n];
    const [left, right] = [g[row] as number[], g[column] as number[]];
    return left.reduce(
      (sum, value, k) => sum + value * (right[k] as number),
      0,
    );
  });
}

/** Returns softmax of x B. */
function probabilities(
  x: Float64Array,
  { b, classes }: { b: Float64Array; classes: number },
): number[] {
  const logits = Array.from({ length: classes }, (_, c) =>
    x.reduce((o, value, k) => o + value * (b[k * classes + c] as number), 0),
  );
  const most = Math.max(...logits);
  const powers = logits.map((o) => Math.exp(o - most));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** Returns all means of rows; J and T as derivatives of p by their definitions with Kronecker deltas. */
function meansOf(
  data: { b: Float64Array; classes: number },
  rows: readonly Float64Array[],
): Required<Means> {
  const sums: Partial<Record<keyof Means, Float64Array>> = {};
  const lost: typeof sums = {};
  const addTo = (name: keyof Means, a: number[], b: number[]) => {
    sums[name] ??= new Float64Array(a.length * b.length);
    lost[name] ??= new Float64Array(a.length * b.length);
    const [sum, rest] = [sums[name], lost[name]];
    for (let at = 0; at < sum.length; at++) {
      const [i, k] = [Math.floor(at / b.length), at % b.length];
      const term = (a[i] as number) * (b[k] as number);
      const before = sum[at] as number;
      const after = before + term;
      sum[at] = after;
      // Neumaier's compensated sum.
      const error =
        Math.abs(before) > Math.abs(term)
          ? before - after + term
          : term - after + before;
      rest[at] = (rest[at] as number) + error;
    }
  };
  for (const row of rows) {
    const x = [...row];
    const p = probabilities(row, data);
    const { j, t } = derivatives(p);
    const xx = x.flatMap((value, k) =>
      x.slice(k).map((other) => value * other),
    );
    addTo("p", p, [1]);
    addTo("x", x, [1]);
    addTo("px", p, x);
    addTo("xx", xx, [1]);
    addTo("j", j, [1]);
    addTo("jx", j, x);
    addTo("jxx", j, xx);
    addTo("tx", t, x);
    addTo("txx", t, xx);
  }
  return Object.fromEntries(
    Object.entries(sums).map(([name, values]) => [
      name,
      values.map(
        (value, at) =>
          (value + (lost[name as keyof Means]?.[at] ?? NaN)) / rows.length,
      ),
    ]),
  ) as unknown as Required<Means>;
}

/** Returns J_jl = p_j(δ_jl - p_l) for j <= l and T_jlc = ∂J_jl/∂η_c for j <= l <= c. */
function derivatives(p: readonly number[]) {
  const delta = (a: number, b: number) => (a === b ? 1 : 0);
  const J = (a: number, b: number) =>
    (p[a] as number) * (delta(a, b) - (p[b] as number));
  const j: number[] = [];
  const t: number[] = [];
  for (let a = 0; a < p.length; a++)
    for (let b = a; b < p.length; b++) {
      j.push(J(a, b));
      for (let c = b; c < p.length; c++)
        t.push(
          J(a, c) * (delta(a, b) - (p[b] as number)) -
            (p[a] as number) * J(b, c),
        );
    }
  return { j, t };
}
