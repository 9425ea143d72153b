import { describe, expect, test } from "vitest";
import * as code from "../../src/kernels/portable/codes.js";
import {
  errorScale,
  PROMISED_BOUNDS,
} from "../../src/reference/error-scales.js";
import type { ReferenceName } from "../../src/reference/result.js";
import { EPSILON, Exact, errorInEpsilon, exact } from "../support/exact.js";
import { hardRows } from "../support/hard-rows.js";
import { type Entry, stored, testKernel } from "../support/kernels.js";
import { normal, random } from "../support/random.js";
import type { ResultCase, Value } from "../support/result-case.js";
import { label, namesOf, RESULT_CASES } from "../support/result-cases.js";
import { sizesOf, type Truth, truthOf } from "../support/truth.js";

/** A difference in ε of `scale`, or of the smallest subnormal where that is larger; both -inf (or +inf): 0. */
function difference(value: number, truth: Value, scale?: number): number {
  if (truth === null || !truth.isFinite())
    return value === (truth === null ? -Infinity : Infinity) ? 0 : Infinity;
  if (!Number.isFinite(value))
    return truth.abs().gt(Number.MAX_VALUE) ? 0 : Infinity;
  if (!scale) return errorInEpsilon(value, truth);
  const unit = exact(scale).times(EPSILON).plus(new Exact(2).pow(-1074));
  return exact(value).minus(truth).abs().div(unit).toNumber();
}

const resultOf = (spec: ResultCase) => namesOf(spec)[0] as ReferenceName;

/** Results of Q² values, or of as much work, are judged on shorter rows. */
const QUADRATIC =
  /^(jacobian|packed|log_jacobian|factor|vjp|log_jvp|covariance|variance)/;

function worstError(
  memory: ReturnType<typeof testKernel>,
  spec: ResultCase,
  temperature: number,
): { error: number; where: string } {
  const draw = normal(random(5));
  const uniform = random(6);
  let worst = { error: 0, where: "" };
  for (const { name, rows } of hardRows()) {
    for (const row of rows.slice(0, 3)) {
      const Q = row.length;
      if (
        Q > (/variance/.test(spec.name) ? 10 : 50) &&
        QUADRATIC.test(spec.name)
      )
        continue;
      const input = spec.input?.(
        Q,
        spec.input === label ? () => uniform() : draw,
      );
      const param = spec.param?.(Q) ?? -1;
      const truth = truthOf(row, temperature);
      const expected = spec.truth(truth, input ?? [], param);
      const scale = errorScale(
        resultOf(spec),
        () => sizesOf(truth),
        input ?? [],
      );
      const entry: Entry = { code: spec.code, values: expected.length, param };
      if (input) entry.input = [input];
      const { results, bad } = stored(memory, [row], [entry], { temperature });
      expect(bad).toEqual([]);
      expected.forEach((value, k) => {
        const error = difference(results[0]?.[k] as number, value, scale?.[k]);
        if (!(error <= worst.error))
          worst = {
            error,
            where: `${name}, [${row.slice(0, 10)}], value ${k}: ${results[0]?.[k]}`,
          };
      });
    }
  }
  return worst;
}

const simd = testKernel("simd");
const plain = testKernel("plain");

describe.each([1, 0.7, 25])(
  "temperature %d, against 80 digits",
  (temperature) => {
    test.each(RESULT_CASES)("$name", (spec) => {
      const { error, where } = worstError(simd, spec, temperature);
      expect(error, where).toBeLessThanOrEqual(PROMISED_BOUNDS[resultOf(spec)]);
    });
  },
);

test.each(RESULT_CASES)(
  "the plain kernel gives the same bits: $name",
  (spec) => {
    const draw = normal(random(7));
    const uniform = random(8);
    const lengths = new Map<number, number>();
    const valuesOf = (Q: number) => {
      const zeros = Array(Q * Q).fill(0);
      const length =
        lengths.get(Q) ??
        spec.truth(cachedShape(Q), zeros, spec.param?.(Q) ?? -1).length;
      lengths.set(Q, length);
      return length;
    };
    for (const { rows } of hardRows())
      for (const row of rows.slice(0, 4)) {
        const Q = row.length;
        if (
          Q > (/variance/.test(spec.name) ? 33 : 110) &&
          QUADRATIC.test(spec.name)
        )
          continue;
        const param = spec.param?.(Q) ?? -1;
        const entry: Entry = { code: spec.code, values: valuesOf(Q), param };
        if (spec.input)
          entry.input = [spec.input(Q, spec.input === label ? uniform : draw)];
        for (const temperature of [1, 0.7])
          for (const out of ["float64", "float32"] as const) {
            const options = { temperature, out };
            const a = stored(plain, [row], [entry], options);
            const b = stored(simd, [row], [entry], options);
            expect(b.bad).toEqual(a.bad);
            expect(bytesOf(b.results[0]).equals(bytesOf(a.results[0]))).toBe(
              true,
            );
          }
      }
  },
);

function bytesOf(values: Float64Array | Float32Array | undefined): Buffer {
  const { buffer, byteOffset, byteLength } = values as Float64Array;
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** A truth of Q classes, for the number of values of a result alone. */
function cachedShape(Q: number): Truth {
  return truthOf(Array(Q).fill(0), 1);
}

test("labels and inputs that cannot be make a bad row", () => {
  const rows = [0, 1, 2, 3, 4].map((r) => [r, 1, 0.5]);
  const labels = [[0], [3], [-1], [0.5], [Number.NaN]];
  const vectors = [
    [1, 2, 3],
    [1, Number.NaN, 3],
    [Infinity, 0, 0],
    [0, 0, -Infinity],
    [0, 0, 0],
  ];
  for (const memory of [plain, simd]) {
    for (const c of [code.COLUMN, code.GRADIENT, code.CROSS_ENTROPY])
      expect(
        stored(memory, rows, [{ code: c, values: 3, input: labels }]).bad,
      ).toEqual([1, 2, 3, 4]);
    for (const c of [code.PRODUCT, code.LOG_VJP, code.LOG_JVP])
      expect(
        stored(memory, rows, [{ code: c, values: 3, input: vectors }]).bad,
      ).toEqual([1, 2, 3]);
    const covariance = { values: 9, input: vectors, param: 0 };
    expect(
      stored(memory, rows, [{ code: code.COVARIANCE, ...covariance }]).bad,
    ).toEqual([1, 2, 3]);
  }
});
