import { expect, test } from "vitest";
import {
  type MeanName,
  meansAt,
  pairCount,
  pairIndex,
  tripleCount,
  tripleIndex,
  withoutClass,
} from "../../src/effects/means.js";
import { random } from "../support/random.js";
import { meansOf } from "./expected-means.js";

const NAMES: MeanName[] = [
  ...(["p", "j", "x", "px", "jx", "tx", "xx", "jxx", "txx"] as const),
];

test.each([1, 2, 3, 7])("indices of pairs and triples of %i", (count) => {
  let pair = 0;
  let triple = 0;
  for (let j = 0; j < count; j++)
    for (let l = j; l < count; l++) {
      expect(pairIndex(j, l, count)).toBe(pair);
      expect(pairIndex(l, j, count)).toBe(pair++);
      for (let c = l; c < count; c++) {
        for (const [a, b, d] of [
          ...[[j, l, c] as const, [j, c, l] as const, [l, j, c] as const],
          ...[[l, c, j] as const, [c, j, l] as const, [c, l, j] as const],
        ])
          expect(tripleIndex(a, b, d, count)).toBe(triple);
        triple++;
      }
    }
  expect(pairCount(count)).toBe(pair);
  expect(tripleCount(count)).toBe(triple);
});

test("means of one row", () => {
  for (const [features, classes] of [
    [1, 1],
    [1, 2],
    [3, 2],
    [2, 5],
  ] as const) {
    const uniform = random(features + 10 * classes);
    const draw = () => 4 * uniform() - 2;
    const b = Float64Array.from({ length: features * classes }, draw);
    const x = Float64Array.from({ length: features }, draw);
    const expected = meansOf({ b, classes }, [x]);
    const found = meansAt(x, b, NAMES);
    expect(Object.keys(found)).toEqual(NAMES);
    for (const name of NAMES) {
      expect(found[name]?.length).toBe(expected[name].length);
      found[name]?.forEach((value, at) => {
        expect(value).toBeCloseTo(expected[name][at] as number, 13);
      });
    }
  }
  expect(meansAt(Float64Array.of(1), Float64Array.of(0, 1), [])).toEqual({});
});

test("matrices without a class", () => {
  // Blocks of two features for the classes 0 and 1.
  const matrix = Float64Array.from({ length: 16 }, (_, at) => at);
  expect(withoutClass(matrix, 2, 0)).toEqual(Float64Array.of(10, 11, 14, 15));
  expect(withoutClass(matrix, 2, 1)).toEqual(Float64Array.of(0, 1, 4, 5));
  expect(withoutClass(matrix, 1, 2).length).toBe(9);
});
