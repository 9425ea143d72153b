import { expect, test } from "vitest";
import { errorScale } from "../../src/reference/error-scales.js";
import { hardRows } from "../support/hard-rows.js";
import { normal, random } from "../support/random.js";
import { label, namesOf, RESULT_CASES } from "../support/result-cases.js";
import { sizesOf, truthOf } from "../support/truth.js";

const draw = normal(random(11));
const rows = hardRows()
  .flatMap(({ rows }) => rows.slice(0, 2))
  .filter(({ length }) => length <= 10);

/** What scales have besides for subnormals and roots of p that count as 0. */
const LEAST = 1e-200;

test.each(RESULT_CASES)(
  "$name: the scale in float64 is that in 80 digits",
  (spec) => {
    for (const temperature of [1, 0.7, 25])
      for (const logits of rows) {
        const truth = truthOf(logits, temperature);
        const Q = logits.length;
        const input =
          spec.input === label ? [0] : (spec.input?.(Q, draw) ?? []);
        const expected = spec.scale?.(truth, input, spec.param?.(Q) ?? -1);
        for (const name of namesOf(spec)) {
          const found = errorScale(name, () => sizesOf(truth), input);
          expect(found?.length).toBe(expected?.length);
          expected?.forEach((size, n) => {
            const [x, y] = [size.toNumber(), found?.[n] as number];
            expect(Math.abs(x - y)).toBeLessThanOrEqual(1e-9 * x + LEAST);
          });
        }
      }
  },
);
