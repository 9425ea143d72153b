import { describe, expect, test } from "vitest";
import {
  createModel,
  derivativeRow,
  type Effect,
  type EffectKind,
  type Estimate,
  estimates,
  inferenceAt,
  neededMeans,
} from "../../src/effects/estimates.js";
import {
  type Means,
  meansAt,
  pairCount,
  pairIndex,
  withoutClass,
} from "../../src/effects/means.js";
import {
  covarianceProblem,
  invertPositiveDefinite,
  newtonDecrement,
  sandwich,
} from "../../src/model/symmetric.js";
import {
  type Data,
  type ExpectedEffect,
  folder,
  meansOf,
  probabilities,
  readData,
} from "./expected-means.js";

const LIMIT = 1e-10;
const SLOPES = ["dydx", "eydx", "dyex", "eyex"] as const;

/** Returns the largest relative difference of numbers. */
function largest(found: ArrayLike<number | null>, expected: number[]): number {
  expect(found.length).toBe(expected.length);
  const differences = expected.map((x, n) =>
    Math.abs(((found[n] ?? NaN) - x) / x),
  );
  return Math.max(...differences);
}

/** Returns the largest relative difference of estimates and of standard errors, and prints both. */
function difference(
  title: string,
  found: readonly Estimate[],
  { estimate, std_error }: ExpectedEffect,
): number {
  const column = (name: "estimate" | "stdError", expected: number[]) =>
    largest(
      found.map((row) => row[name]),
      expected,
    );
  const values = column("estimate", estimate.flat());
  const errors = column("stdError", std_error.flat());
  console.log(
    `${title}: ${values.toExponential(1)}, se ${errors.toExponential(1)}`,
  );
  return Math.max(values, errors);
}

function termsOf({ features }: Data): number[] {
  return Array.from({ length: features - 1 }, (_, k) => k + 1);
}

describe.skipIf(folder === null).each(["anes96", "fair"] as const)(
  "%s",
  (name) => {
    const read = once(() => {
      const data = readData(name);
      const { features, classes, b, v } = data;
      const model = createModel([features, classes], b, 0, v);
      return {
        data,
        model,
        means: meansOf(data, data.rows),
        terms: termsOf(data),
      };
    });

    test.each([...SLOPES, "probability"] as const)("%s", (kind) => {
      const { data, model, means, terms } = read();
      const expected = data.expected.effects[kind] as ExpectedEffect;
      const found = estimates(kind, model, means, terms);
      expect(difference(`${name} ${kind}`, found, expected)).toBeLessThan(
        LIMIT,
      );
    });

    test("dydx of weighted rows", () => {
      const { data, model, terms } = read();
      const weights = data.column("w").map(Number);
      const means = meansOf(data, data.rows, weights);
      const expected = data.expected.effects[
        "dydx weighted by w"
      ] as ExpectedEffect;
      const found = estimates("dydx", model, means, terms);
      expect(difference(`${name} weighted`, found, expected)).toBeLessThan(
        LIMIT,
      );
    });

    test("dydx at the mean of x", () => {
      const { data, model, means, terms } = read();
      const names = neededMeans("dydx", true);
      const expected = data.expected.effects["dydx at mean"] as ExpectedEffect;
      const found = estimates(
        "dydx",
        model,
        meansAt(means.x, data.b, names),
        terms,
      );
      expect(difference(`${name} at mean`, found, expected)).toBeLessThan(
        LIMIT,
      );
    });

    test("dydx by group", () => {
      const { data, model, terms } = read();
      const by = Object.entries(data.expected.effects["dydx by"]);
      expect(by.length).toBeGreaterThan(0);
      for (const [column, groups] of by) {
        const keys = data.column(column).map(String);
        for (const [key, expected] of Object.entries(groups)) {
          const rows = data.rows.filter((_, r) => keys[r] === key);
          const found = estimates("dydx", model, meansOf(data, rows), terms);
          const title = `${name} ${column} ${key} (${rows.length} rows)`;
          expect(difference(title, found, expected)).toBeLessThan(LIMIT);
        }
      }
    });

    test("coefficients, Fisher and robust covariance", () => {
      const { data, model, means } = read();
      const { features, classes, b, expected } = data;
      const n = features * (classes - 1);
      const count = data.rows.length;
      const information = withoutClass(blocks(means.jxx, data), features, 0);
      const inverse = invertPositiveDefinite(
        information.map((value) => value * count),
        n,
      );
      if (inverse.kind === "singular") throw new Error("singular");
      const { opg, score } = scores(data);
      expect(newtonDecrement(inverse.matrix, score)).toBeLessThan(1e-20);
      const all = Array.from({ length: features }, (_, k) => k);
      for (const [title, v, errors] of [
        ["given", model.v as Float64Array, expected.bse],
        ["fisher", inverse.matrix, expected.bse],
        ["robust", sandwich(inverse.matrix, opg, n), expected.bse_robust_HC0],
      ] as const) {
        expect(covarianceProblem(v, n)).toBeUndefined();
        const found = estimates(
          "coefficients",
          createModel([features, classes], b, 0, v),
          {},
          all,
        );
        // The files are feature-major.
        const order = (values: number[][]) =>
          Array.from({ length: n }, (_, at) => {
            const k = at % features;
            return values[k]?.[(at - k) / features] as number;
          });
        const params = Array.from({ length: features }, (_, k) =>
          Array.from(b.subarray(k * classes + 1, (k + 1) * classes)),
        );
        const wanted = { estimate: order(params), std_error: order(errors) };
        expect(difference(`${name} bse ${title}`, found, wanted)).toBeLessThan(
          LIMIT,
        );
      }
    });

    test("estimates of slopes sum to 0 over classes", () => {
      const { model, means, data } = read();
      for (const kind of ["dydx", "dyex"] as const)
        for (const k of termsOf(data)) {
          const found = estimates(kind, model, means, [k]);
          const sum = found.reduce((total, row) => total + row.estimate, 0);
          const size = Math.max(...found.map((row) => Math.abs(row.estimate)));
          expect(Math.abs(sum)).toBeLessThan(1e-12 * size);
        }
    });

    test("a model without reference class gives the same effects", () => {
      const { data, model, means, terms } = read();
      const { features, classes, v } = data;
      const n = features * classes;
      const m = n - features;
      const whole = new Float64Array(n * n);
      for (let row = 0; row < m; row++)
        whole.set(
          v.subarray(row * m, (row + 1) * m),
          (row + features) * n + features,
        );
      // Adding a number to all coefficients of a feature changes no p.
      const b = data.b.map((value, at) => value + Math.trunc(at / classes) - 2);
      expect(covarianceProblem(whole, n)).toBeUndefined();
      for (const kind of [...SLOPES, "probability", "coefficients"] as const) {
        const expected = estimates(kind, model, means, terms);
        for (const covariance of [v, whole]) {
          const found = estimates(
            kind,
            createModel([features, classes], b, undefined, covariance),
            means,
            terms,
          );
          found.forEach((row, at) => {
            const wanted = expected[at] as Estimate;
            expect(row.estimate).toBeCloseTo(wanted.estimate, 9);
            expect(row.stdError).toBeCloseTo(wanted.stdError as number, 9);
          });
        }
      }
    });
  },
);

test.skipIf(folder === null)("contrast of parent, 0 to 1", () => {
  const data = readData("fair");
  const parent = data.expected.terms.indexOf("parent");
  const means = [1, 0].map((value) =>
    meansOf(
      data,
      data.rows.map((x) => x.with(parent, value)),
    ),
  ) as [Means, Means];
  const model = createModel([data.features, data.classes], data.b, 0, data.v);
  const found = estimates("contrast", model, means[0], [parent], means[1]);
  const expected = data.expected.effects.contrast?.parent as ExpectedEffect;
  expect(difference("fair contrast", found, expected)).toBeLessThan(LIMIT);
});

test.skipIf(folder === null)("D is the derivative of the rows' effects", () => {
  const data = readData("anes96");
  const { features, classes, b } = data;
  const model = createModel([features, classes], b);
  const x = data.rows[7] as Float64Array;
  const p = probabilities(x, data);
  const means = meansOf(data, [x]);
  const k = 2;
  const m = p.map((value, j) => {
    const mean = p.reduce(
      (sum, pl, l) => sum + pl * (b[k * classes + l] as number),
      0,
    );
    return value * ((b[k * classes + j] as number) - mean);
  });
  const at = (values: number[], c: number) => values[c] as number;
  const delta = (a: number, c: number) => (a === c ? 1 : 0);
  for (let j = 0; j < classes; j++) {
    const effect = { ...model, means, j, k } as Effect;
    const rows = SLOPES.map((kind) => derivativeRow(kind, effect));
    for (let c = 1; c < classes; c++) {
      const J = at(p, j) * (delta(j, c) - at(p, c));
      const change =
        delta(j, c) * at(m, j) - at(p, c) * at(m, j) - at(p, j) * at(m, c);
      for (let r = 0; r < features; r++) {
        const [xk, xr] = [x[k] as number, x[r] as number];
        const dydx = J * delta(k, r) + change * xr;
        const eydx = delta(k, r) * (delta(j, c) - at(p, c)) - at(m, c) * xr;
        const expected = [dydx, eydx, xk * dydx, xk * eydx];
        expected.forEach((value, n) => {
          const found = rows[n]?.[(c - 1) * features + r];
          expect(found).toBeCloseTo(value, 12);
        });
      }
    }
  }
});

test("means that are missing, and sizes that do not fit, are rejected", () => {
  const b = new Float64Array(6);
  const model = createModel([2, 3], b);
  expect(() => estimates("dydx", model, {}, [0])).toThrow(
    "dydx needs the mean j",
  );
  expect(() => createModel([2, 4], b)).toThrow(RangeError);
  expect(() => createModel([2, 3], b, 0, new Float64Array(25))).toThrow(
    "B is not 2 × 3, or V is not 4 × 4",
  );
  const kinds: EffectKind[] = [...SLOPES, "probability", "contrast"];
  expect(kinds.map((kind) => neededMeans(kind, false).join())).toEqual([
    ...["j", "p", "jx", "px,x", "p", "p"],
  ]);
  expect(kinds.map((kind) => neededMeans(kind, true).join())).toEqual([
    ...["j,tx", "p,jx", "jx,txx", "px,x,jxx", "p,jx", "p,jx"],
  ]);
});

test("statistics of an estimate", () => {
  const inference = inferenceAt(0.95);
  const { statistic, pValue, confLow, confHigh } = inference(2, 0.5);
  expect(statistic).toBe(4);
  expect(pValue).toBeCloseTo(6.334248366623973e-5, 18);
  expect(confLow).toBeCloseTo(2 - 0.5 * 1.959963984540054, 15);
  expect(confHigh).toBeCloseTo(2 + 0.5 * 1.959963984540054, 15);
  expect(inference(2, 0)).toEqual({
    ...{ statistic: null, pValue: null, confLow: 2, confHigh: 2 },
  });
  expect(inference(2, null)).toEqual({
    ...{ statistic: null, pValue: null, confLow: null, confHigh: null },
  });
});

/** Returns the score Σ s ⊗ x and Σ ssᵀ ⊗ xxᵀ, s = e_y - p, class-major without class 0. */
function scores(data: Data) {
  const { features, classes } = data;
  const n = features * (classes - 1);
  const labels = data.column("label").map(Number);
  const score = new Float64Array(n);
  const opg = new Float64Array(n * n);
  data.rows.forEach((x, row) => {
    const p = probabilities(x, data);
    const s = score.map((_, at) => {
      const k = at % features;
      const c = (at - k) / features + 1;
      const residual = (labels[row] === c ? 1 : 0) - (p[c] as number);
      return residual * (x[k] as number);
    });
    for (let a = 0; a < n; a++) {
      score[a] = (score[a] as number) + (s[a] as number);
      for (let c = 0; c < n; c++)
        opg[a * n + c] =
          (opg[a * n + c] as number) + (s[a] as number) * (s[c] as number);
    }
  });
  return { score, opg };
}

/** Expands packed J ⊗ xxᵀ to a matrix of all classes, class-major. */
function blocks(packed: Float64Array, { features, classes }: Data) {
  const n = features * classes;
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [row, column] = [Math.floor(at / n), at % n];
    const [j, l] = [Math.floor(row / features), Math.floor(column / features)];
    const pair = pairIndex(j, l, classes) * pairCount(features);
    const [k, r] = [row % features, column % features];
    return packed[pair + pairIndex(k, r, features)] as number;
  });
}

/** Returns a function that computes its value at the first call. */
function once<Value>(compute: () => Value): () => Value {
  let value: Value | undefined;
  return () => {
    value ??= compute();
    return value;
  };
}
