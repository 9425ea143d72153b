import { describe, expect, test } from "vitest";
import { errorInEpsilon, exactRow, isOnceRounded } from "../support/exact.js";
import { hardRows } from "../support/hard-rows.js";
import { blocks, KERNEL_NAMES, testKernel } from "../support/kernels.js";

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

describe.each(KERNEL_NAMES)("%s kernel against 80 digits", (name) => {
  const memory = testKernel(name);

  test.each(hardRows())("$name", ({ rows }) => {
    const [softmax, diagonal, offDiagonal] = largestErrors(memory, rows);
    if (process.env.SHOW_ERRORS) console.log(softmax, diagonal, offDiagonal);
    expect(softmax).toBeLessThanOrEqual(1.5);
    expect(diagonal).toBeLessThanOrEqual(3);
    expect(offDiagonal).toBeLessThanOrEqual(3);
  });

  test("float32 results are the float64 ones rounded once", () => {
    for (const { rows } of hardRows()) {
      for (const wide of rows) {
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
