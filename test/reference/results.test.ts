import type { Decimal } from "decimal.js";
import { describe, expect, test } from "vitest";
import { errorScale } from "../../src/reference/error-scales.js";
import { referenceResult } from "../../src/reference/result.js";
import { type ReferenceRow, referenceRow } from "../../src/reference/row.js";
import type { ReferenceValues } from "../../src/reference/scaled.js";
import { EMIT_NAMES } from "../../src/results/catalogue.js";
import { Exact, exact } from "../support/exact.js";
import { hardRows } from "../support/hard-rows.js";
import { normal, random } from "../support/random.js";
import { namesOf, RESULT_CASES } from "../support/result-cases.js";
import { sizesOf, truthOf } from "../support/truth.js";

/** Bounds of the largest error of any result, relative to the scale of docs/results.md, by temperature. */
const BOUNDS = [
  [1, 1e-30],
  // (o - max)/T to 1e5, 1e4 and 7e5: the error of exp grows with its argument.
  [0.7, 1e-27],
  [25, 1e-28],
  [1e-3, 1e-26],
  [1e-100, 1e-30],
  [1e100, 1e-30],
] as const;

const draw = normal(random(5));
const rows = [
  ...hardRows().flatMap(({ rows }) => [
    ...rows.slice(0, 2).filter(({ length }) => length <= 33),
    ...rows.filter(({ length }) => length > 33).slice(0, 1),
  ]),
  ...[3, 5].map((Q) => Array.from({ length: Q }, () => 1e-5 * draw())),
  ...[4, 6].map((Q) => Array.from({ length: Q }, () => 1e3 * draw())),
];

const SQUARE =
  /^(jacobian|packed|log_jacobian|factor|vjp|jvp|log_jvp|covariance|variance|std_error)$/;

/** Error of float64 scales; subnormals and roots of p that count as 0 add a part of them. */
const LEAST = 1e-200;

describe.each(BOUNDS)("T = %d within %d", (temperature, bound) => {
  const prepared = rows.map((logits) => ({
    logits,
    truth: truthOf(logits, temperature),
    row: referenceRow(logits, { temperature }) as ReferenceRow,
  }));
  const cases = RESULT_CASES.flatMap((spec) =>
    namesOf(spec).map((name) => ({ spec, name, title: spec.name })),
  );

  test.each(cases)("$name ($title), and its scale", ({ spec, name }) => {
    const most = SQUARE.test(name) ? 10 : Infinity;
    let worst = { error: 0, where: "" };
    for (const { logits, truth, row } of prepared) {
      const Q = logits.length;
      if (Q > most) continue;
      const input = spec.input?.(Q, draw) ?? [];
      const param = spec.param?.(Q) ?? -1;
      const expected = spec.truth(truth, input, param);
      const scale = spec.scale?.(truth, input, param);
      const given = name === "column" && param >= 0 ? [param] : input;
      const found = referenceResult(name, row, given) as ReferenceValues;
      expect(found.high.length).toBe(expected.length);
      for (const [n, value] of expected.entries()) {
        const error = relativeError(found, n, value, scale?.[n]);
        const where = `[${logits.slice(0, 8)}], value ${n}`;
        if (!(error <= worst.error)) worst = { error, where };
      }
      if (temperature < 1e-2 || temperature > 25) continue;
      const sizes = errorScale(name, () => sizesOf(truth), input);
      expect(sizes?.length).toBe(scale?.length);
      for (const [n, size] of (scale ?? []).entries()) {
        const x = size.toNumber();
        const difference = Math.abs(x - (sizes?.[n] as number));
        expect(difference).toBeLessThanOrEqual(1e-9 * x + LEAST);
      }
    }
    expect(worst.error, worst.where).toBeLessThanOrEqual(bound);
  });

  test("argmax", () => {
    for (const { row, truth } of prepared)
      expect(referenceResult("argmax", row)?.high[0]).toBe(truth.a);
  });
});

/** Returns 0 if both are infinite, or if the true value is below 1e-200000 (p under exp(-2^20)) and the found one 0. */
function relativeError(
  { high, low, exponent }: ReferenceValues,
  n: number,
  truth: Decimal | null,
  scale?: Decimal,
): number {
  if (truth === null || !truth.isFinite())
    return high[n] === (truth === null ? -Infinity : Infinity) ? 0 : Infinity;
  const found = exact(high[n] as number)
    .plus(exact(low[n] as number))
    .times(new Exact(2).pow(exponent[n] as number));
  const size = (scale ?? truth).abs();
  if (found.isZero() && truth.abs().lt("1e-200000")) return 0;
  if (size.isZero()) return found.isZero() ? 0 : Infinity;
  return found.minus(truth).abs().div(size).toNumber();
}

test("every result of the catalogue has a case", () => {
  const cases = new Set(RESULT_CASES.flatMap(namesOf));
  expect(EMIT_NAMES.filter((name) => !cases.has(name))).toEqual(["argmax"]);
});

test.each([
  [1, Number.NaN],
  [Infinity, 0],
  [-Infinity, -Infinity],
])("a row of %d and %d is null", (...logits) => {
  expect(referenceRow(logits)).toBeNull();
});

test("p far below float64 keeps its digits, and a row can be reused", () => {
  const first = referenceRow([0, -2000]) as ReferenceRow;
  const p = referenceResult("softmax", first) as ReferenceValues;
  expect(p.exponent[0]).toBe(0);
  expect(p.exponent[1]).toBeLessThan(-2800);
  const truth = truthOf([0, -2000], 1).p[1] as Decimal;
  expect(relativeError(p, 1, truth)).toBeLessThan(1e-27);
  const options = { temperature: 2 };
  for (const used of [first, referenceRow([0, -Infinity]) as ReferenceRow]) {
    const row = referenceRow([3, 1], options, used);
    expect(row).toBe(used);
    expect(row).toEqual(referenceRow([3, 1], options));
  }
});
