import type { Decimal } from "decimal.js";
import { expect, test } from "vitest";
import {
  createModel,
  type EffectKind,
  estimates,
} from "../../src/effects/estimates.js";
import {
  type Means,
  meansAt,
  pairIndex,
  tripleIndex,
} from "../../src/effects/means.js";
import { EPSILON, Exact, exact } from "../support/exact.js";
import { normal, random } from "../support/random.js";
import { exactRow } from "../support/truth.js";
import { meansOf } from "./expected-means.js";

// Errors of estimates and variances for given B, V and means, in 80-digit arithmetic by the formulas of the derivatives
// with all indices.

const [K, Q] = [3, 4];
const ZERO = new Exact(0);
const classes = [0, 1, 2, 3];
const features = [0, 1, 2];

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
    for (const kind of Object.keys(table) as EffectKind[]) {
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

test("means of one row, coefficients up to 50, on the scale of T", () => {
  const largest = new Map<string, number>();
  const note = (name: string, found: number, value: Decimal, size: Decimal) =>
    largest.set(
      name,
      Math.max(largest.get(name) ?? 0, relative(exact(found), { value, size })),
    );
  for (let seed = 1; seed <= 60; seed++) {
    const uniform = random(seed);
    const size = [0.01, 0.5, 5, 50][seed % 4] as number;
    const b = Float64Array.from(
      { length: K * Q },
      () => size * (2 * uniform() - 1),
    );
    const x = Float64Array.from({ length: K }, () => 4 * uniform() - 2);
    const logits = classes.map(
      (c) =>
        sumOf(
          features.map((k) =>
            exact(x[k] as number).times(exact(b[k * Q + c] as number)),
          ),
        ).value,
    );
    const powers = logits.map((o) => o.minus(logits[0] as Decimal).exp());
    const total = sumOf(powers).value;
    const p = powers.map((e) => e.div(total));
    const q = powers.map((_, c) =>
      sumOf(powers.filter((__, other) => other !== c)).value.div(total),
    );
    const at = (values: Decimal[], c: number) => values[c] as Decimal;
    const means = meansAt(x, b, ["p", "j", "jx", "tx"]) as Required<Means>;
    for (let j = 0; j < Q; j++) {
      note("p", means.p[j] as number, at(p, j), at(p, j));
      for (let l = j; l < Q; l++) {
        const J = at(p, j).times(l === j ? at(q, j) : at(p, l).neg());
        note("J", means.j[pairIndex(j, l, Q)] as number, J, J.abs());
        for (let c = l; c < Q; c++) {
          const { value, size } = third(p, q, [j, l, c]);
          features.forEach((r) => {
            const xr = exact(x[r] as number);
            const found = means.tx[tripleIndex(j, l, c, Q) * K + r] as number;
            note("T x", found, value.times(xr), size.times(xr).abs());
          });
        }
      }
    }
  }
  for (const [name, error] of largest)
    console.log(`${name}: ${error.toFixed(2)} ε`);
  expect(largest.get("p")).toBeLessThan(1);
  expect(largest.get("J")).toBeLessThan(2.8);
  expect(largest.get("T x")).toBeLessThan(4.45);
});

test("probabilities of one row agree with the exact softmax", () => {
  const x = Float64Array.of(1);
  const logits = Float64Array.of(-3, 700, 699.5, -800);
  const { p, j } = meansAt(x, logits, ["p", "j"]) as Required<Means>;
  const row = exactRow([...logits]);
  for (const c of classes) {
    expect(p[c]).toBeCloseTo((row.p[c] as Decimal).toNumber(), 15);
    expect(j[pairIndex(c, c, Q)]).toBeCloseTo(
      row.jacobian(c, c).toNumber(),
      15,
    );
  }
});

/** Returns T_jlc and its scale: |q - p| is replaced by 1. */
function third(p: Decimal[], q: Decimal[], indices: number[]): Sum {
  const [j, l, c] = indices as [number, number, number];
  const product = indices.reduce(
    (value, n) => value.times(p[n] as Decimal),
    new Exact(1),
  );
  if (new Set(indices).size === 3)
    return { value: product.times(2), size: product.times(2) };
  const twice = j === l ? j : l;
  const [pt, qt] = [p[twice] as Decimal, q[twice] as Decimal];
  const size = j === c ? pt.times(qt) : product.div(pt);
  const value = size.times(qt.minus(pt));
  return { value: j === c ? value : value.neg(), size };
}

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
