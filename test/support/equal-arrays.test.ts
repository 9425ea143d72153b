import { expect, test } from "vitest";

// The equality tester of equal-arrays.ts agrees with toEqual.

test.each([
  [Float64Array.of(1, 2), Float64Array.of(1, 3)],
  [Float64Array.of(1, 2), Float64Array.of(1)],
  [Float64Array.of(0), Float64Array.of(-0)],
  [Float64Array.of(1), Float32Array.of(1)],
  [
    [1, 2],
    [1, 3],
  ],
  // One number is missing.
  [Object.assign([1], { 2: 3 }), [1, 2, 3]],
  [{ values: [[1], [2]] }, { values: [[1], [3]] }],
])("%o is not %o", (a, b) => {
  expect(a).not.toEqual(b);
  expect(b).not.toEqual(a);
});

test("equal numbers are equal, NaN too", () => {
  expect(Float32Array.of(1, Number.NaN)).toEqual(
    Float32Array.of(1, Number.NaN),
  );
  expect({ values: [1, -0] }).toEqual({ values: [1, -0] });
  expect(BigInt64Array.of(1n)).toEqual(BigInt64Array.of(1n));
});
