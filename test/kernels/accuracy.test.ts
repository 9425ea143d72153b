import { describe, expect, test } from "vitest";
import { errorInEpsilon, exactRow, isOnceRounded } from "../support/exact.js";
import { expectSameValues } from "../support/first-difference.js";
import { hardRows } from "../support/hard-rows.js";
import { blocks, testKernel } from "../support/kernels.js";

/** Largest errors in ε over a family of rows: [softmax, diagonal, off-diagonal]. */
function largestErrors(
  memory: ReturnType<typeof testKernel>,
  rows: number[][],
): [number, number, number] {
  const worst: [number, number, number] = [0, 0, 0];
  for (const row of rows) {
    const Q = row.length;
    const truth = exactRow(row);
    const { softmax, jacobian } = blocks(memory, [row], "float64", "float64");
    for (let i = 0; i < Q; i++) {
      worst[0] = Math.max(
        worst[0],
        errorInEpsilon(softmax[i] as number, truth.p[i] as never),
      );
      for (let j = 0; j < Q; j++) {
        const error = errorInEpsilon(
          jacobian[i * Q + j] as number,
          truth.jacobian(i, j),
        );
        const kind = i === j ? 1 : 2;
        worst[kind] = Math.max(worst[kind], error);
      }
    }
  }
  return worst;
}

// The plain kernel gives the same bits: kernels-agree.test.ts, and the last test.
describe("against 80 digits", () => {
  const memory = testKernel("simd");

  test.each(hardRows())("$name", ({ rows }) => {
    const [softmax, diagonal, offDiagonal] = largestErrors(memory, rows);
    expect(softmax).toBeLessThanOrEqual(1.5);
    expect(diagonal).toBeLessThanOrEqual(3);
    expect(offDiagonal).toBeLessThanOrEqual(3);
  });

  test("float32 results are the float64 ones rounded once", () => {
    for (const { rows } of hardRows()) {
      for (const wide of rows.slice(0, 20)) {
        const row = wide.map(Math.fround);
        if (!row.some(Number.isFinite) || row.includes(Infinity)) continue;
        const truth = exactRow(row);
        const narrow = blocks(memory, [row], "float32", "float32");
        const double = blocks(memory, [row], "float32", "float64");
        expect(narrow.softmax).toEqual(Float32Array.from(double.softmax));
        expect(narrow.jacobian).toEqual(Float32Array.from(double.jacobian));
        narrow.softmax.forEach((p, k) => {
          expect(isOnceRounded(p, truth.p[k] as never, 1.5 * 2 ** -52)).toBe(
            true,
          );
        });
      }
    }
  });
});

test("the plain kernel gives the same bits", () => {
  const [simd, plain] = [testKernel("simd"), testKernel("plain")];
  for (const { name, rows } of hardRows())
    for (const row of rows)
      for (const out of ["float64", "float32"] as const) {
        const [a, b] = [simd, plain].map((memory) =>
          blocks(memory, [row], "float64", out),
        );
        expectSameValues(a?.softmax, b?.softmax, name);
        expectSameValues(a?.jacobian, b?.jacobian, name);
      }
});
