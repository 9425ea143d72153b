import type { Decimal } from "decimal.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as code from "../../src/kernels/portable/codes.js";
import {
  errorScale,
  PROMISED_BOUNDS,
} from "../../src/reference/error-scales.js";
import { type ReferenceName, valuesOf } from "../../src/reference/result.js";
import {
  EPSILON,
  Exact,
  errorInEpsilon,
  errorInUlp,
  exact,
} from "../support/exact.js";
import { hardRows } from "../support/hard-rows.js";
import { rows } from "../support/input-runs.js";
import {
  blockEntries,
  bothKernels,
  type Entry,
  expectSameBits,
  type Memory,
  stored,
} from "../support/kernels.js";
import { normal, random } from "../support/random.js";
import {
  namesOf,
  RESULT_CASES,
  type ResultCase,
  type Value,
} from "../support/result-cases.js";
import { sizesOf, truthOf } from "../support/truth.js";

const kernels = bothKernels();
const simd = kernels[1] as Memory;
const TYPES = ["float64", "float32"] as const;
const nameOf = (spec: ResultCase) => namesOf(spec)[0] as ReferenceName;

/** Returns a difference in ε of `scale`, or of the smallest subnormal if that is larger; both -inf (or +inf): 0. */
function difference(value: number, truth: Value, scale?: number): number {
  if (truth === null || !truth.isFinite())
    return value === (truth === null ? -Infinity : Infinity) ? 0 : Infinity;
  if (truth.abs().gt(Number.MAX_VALUE) && !Number.isFinite(value))
    return value === (truth.gt(0) ? Infinity : -Infinity) ? 0 : Infinity;
  if (!scale) return errorInEpsilon(value, truth);
  const unit = exact(scale).times(EPSILON).plus(new Exact(2).pow(-1074));
  return exact(value).minus(truth).abs().div(unit).toNumber();
}

/** Results of Q² values, or of as much work, are computed on shorter rows. */
const QUADRATIC =
  /^(jacobian|packed|log_jacobian|factor|vjp|log_jvp|covariance|variance|std_error)/;

/** Returns `count` rows of each family of hard rows, up to `classes` classes, or `few` for a covariance. */
function rowsFor({ name }: ResultCase, count: number, [classes = 0, few = 0]) {
  const most = /variance|std_error/.test(name) ? few : classes;
  return hardRows().flatMap(({ name: family, rows }) =>
    rows
      .slice(0, count)
      .filter(({ length }) => length <= most || !QUADRATIC.test(name))
      .map((row) => ({ family, row })),
  );
}

/** Returns a function that draws the inputs of a result for a row. */
function drawing(spec: ResultCase) {
  const draw = normal(random(5));
  return ({ length: Q }: number[]): Entry & { input: number[][] } => ({
    code: spec.code,
    values: valuesOf(nameOf(spec), Q),
    input: [spec.input?.(Q, draw) ?? []],
    param: spec.param?.(Q) ?? -1,
  });
}

const isBlock = ({ name }: ResultCase) => /^(softmax|jacobian)$/.test(name);

describe.each([1, 0.7, 25, 0.01, 1000])(
  "temperature %d, against 80 digits",
  (T) => {
    // The bounds in ε do not hold where a subnormal p is divided by a small T.
    const isUsual = T >= 0.7 && T <= 25;
    const cases = RESULT_CASES.filter(
      (spec) => isUsual || PROMISED_BOUNDS[nameOf(spec)].unit === "ulp",
    );
    test.each(cases)("$name", (spec) => {
      const drawn = drawing(spec);
      const rows =
        T === 1 && isBlock(spec)
          ? rowsFor(spec, Infinity, [110])
          : rowsFor(spec, 3, [50, 10]);
      const { limit, unit } = PROMISED_BOUNDS[nameOf(spec)];
      let worst = { error: 0, where: "" };
      for (const { family, row } of rows) {
        const entry = drawn(row);
        const [input = []] = entry.input;
        const truth = truthOf(row, T);
        const scale = errorScale(nameOf(spec), () => sizesOf(truth), input);
        const { results, bad } = stored(simd, [row], [entry], {
          temperature: T,
        });
        expect(bad).toEqual([]);
        const values = results[0] as Float64Array;
        spec.truth(truth, input, entry.param as number).forEach((value, k) => {
          const error =
            unit === "ulp"
              ? errorInUlp(values[k] as number, value as Decimal)
              : difference(values[k] as number, value, scale?.[k]);
          const where = `${family}, [${row.slice(0, 10)}], value ${k}: ${values[k]}`;
          if (!(error <= worst.error)) worst = { error, where };
        });
      }
      // Results with one rounding have at most half an ulp and the errors of two pairs.
      expect(worst.error, worst.where).toBeLessThanOrEqual(
        unit === "ulp" ? Math.min(limit, 0.54) : limit,
      );
      console.log(`${nameOf(spec)}, T = ${T}: ${worst.error} ${unit}`);
    });
  },
);

test.each([
  [Number.MAX_VALUE, Infinity],
  [-Number.MAX_VALUE, -Infinity],
])("logsumexp beyond float64: logits %f, T = 0.5", (logit, expected) => {
  const entry = { code: code.LOGSUMEXP, values: 1, input: [[]], param: -1 };
  for (const kernel of kernels) {
    const temperature = 0.5;
    const found = stored(kernel, [[logit, 0.9 * logit]], [entry], {
      temperature,
    });
    expect([...(found.results[0] as Float64Array)]).toEqual([expected]);
  }
});

test.each(RESULT_CASES)(
  "$name: the kernels give the same bits, in float32 those of float64 rounded once",
  (spec) => {
    const drawn = drawing(spec);
    const count = isBlock(spec) ? Infinity : 4;
    for (const { row } of rowsFor(spec, count, [110, 33])) {
      const entries = [drawn(row)];
      for (const temperature of [1, 0.7, 25]) {
        const [wide, narrow] = TYPES.map(
          (out) =>
            expectSameBits(kernels, [row], entries, { temperature, out })
              .results[0],
        );
        expect(narrow).toEqual(Float32Array.from(wide as Float64Array));
      }
    }
  },
);

test("float32 logits are those numbers in float64", () => {
  for (const { rows } of hardRows())
    for (const row of rows) {
      const values = Float32Array.from(row);
      const [found, expected] = TYPES.map((source) =>
        expectSameBits(kernels, [values], blockEntries(row.length), { source }),
      );
      expect(found).toEqual(expected);
    }
});

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 64, 101])(
  "the kernels give the same bits for rows of %i classes",
  (classes) => {
    const gauss = normal(random(classes));
    const rows = Array.from({ length: 20 }, () =>
      Array.from({ length: classes }, () => 6 * gauss()),
    );
    for (const source of TYPES)
      for (const out of TYPES)
        expectSameBits(kernels, rows, blockEntries(classes), { source, out });
  },
);

test("the kernels give the same bits for any doubles, NaN and infinities included", () => {
  const row = fc.array(fc.double(), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), (rows) => {
      expectSameBits(kernels, rows, blockEntries(5));
    }),
    { numRuns: 500, seed: 1 },
  );
});

test("the results of bad rows are 0", () => {
  const rows = [
    [1, 2, 3],
    [1, Number.NaN, 3],
    [Infinity, 0, 0],
    [-Infinity, -Infinity, -Infinity],
    [-Infinity, 0, -Infinity],
    [Infinity, Number.NaN, 0],
  ];
  const { bad, results } = expectSameBits(kernels, rows, blockEntries(3));
  expect(bad).toEqual([1, 2, 3, 5]);
  const [softmax, jacobian] = results as Float64Array[];
  expect([...(softmax?.subarray(3) ?? [])]).toEqual([
    ...Array(9).fill(0),
    ...[0, 1, 0, 0, 0, 0],
  ]);
  for (const r of bad)
    expect([...(jacobian?.subarray(9 * r, 9 * r + 9) ?? [])]).toEqual(
      Array(9).fill(0),
    );
});

const { COLUMN, GRADIENT, CROSS_ENTROPY } = code;
const { PRODUCT, LOG_VJP, LOG_JVP, COVARIANCE } = code;

test.each([
  {
    what: "labels that are no class",
    codes: [COLUMN, GRADIENT, CROSS_ENTROPY],
    input: [[0], [3], [-1], [0.5], [Number.NaN]],
    bad: [1, 2, 3, 4],
  },
  {
    what: "vectors with numbers that are not finite",
    codes: [PRODUCT, LOG_VJP, LOG_JVP, COVARIANCE],
    input: rows("1 2 3; 1 NaN 3; Infinity 0 0; 0 0 -Infinity; 0 0 0"),
    bad: [1, 2, 3],
  },
])("$what make bad rows", ({ codes, input, bad }) => {
  const logits = [0, 1, 2, 3, 4].map((r) => [r, 1, 0.5]);
  for (const code of codes) {
    const entry = { code, values: 9, input, param: -1 };
    if (code === COVARIANCE) entry.param = 0;
    for (const memory of kernels)
      expect(stored(memory, logits, [entry]).bad).toEqual(bad);
  }
});
