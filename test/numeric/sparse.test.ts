import { expect, test } from "vitest";
import { sparseSpaceBytes } from "../../src/numeric/portable/sparse-space.js";
import { workAreaBytes } from "../../src/numeric/portable/work.js";
import { exact } from "../support/exact.js";
import { hardRows } from "../support/hard-rows.js";
import { blocks, testKernel } from "../support/kernels.js";
import { normal, random } from "../support/random.js";
import { sum } from "../support/truth.js";

const plain = testKernel("plain");
const simd = testKernel("simd");
type Memory = ReturnType<typeof testKernel>;

interface Entries {
  indices: number[];
  values: number[];
  droppedMax: number;
  droppedSum: number;
}

function entriesOf(
  { kernel, buffer }: Memory,
  row: number[],
  threshold: number,
  topK: number,
  float32: boolean,
): Entries {
  const Q = row.length;
  const space = 64 + Math.ceil(workAreaBytes(Q) / 64) * 64;
  const dropped = space + Math.ceil(sparseSpaceBytes(Q) / 64) * 64;
  const logits = dropped + 64;
  const indices = logits + 8 * Q + 64;
  const values = Math.ceil((indices + 4 * Q * Q) / 64) * 64;
  new Float64Array(buffer, Math.ceil(logits / 8) * 8, Q).set(row);
  kernel.prepare(64);
  kernel.loadRow(Math.ceil(logits / 8) * 8, false, Q, 1, 64);
  const at = Math.ceil(indices / 8) * 8;
  const count = kernel.storeEntries(
    64,
    Q,
    space,
    threshold,
    topK,
    at,
    values,
    float32,
    dropped,
  );
  const [droppedMax, droppedSum] = new Float64Array(buffer, dropped, 2);
  return {
    indices: [...new Int32Array(buffer, at, count)],
    values: [
      ...(float32
        ? new Float32Array(buffer, values, count)
        : new Float64Array(buffer, values, count)),
    ],
    droppedMax: droppedMax as number,
    droppedSum: droppedSum as number,
  };
}

/** The same by looking at every entry of the block. */
function byForce(
  row: number[],
  threshold: number,
  topK: number,
  float32: boolean,
) {
  const type = float32 ? "float32" : "float64";
  const block = blocks(simd, [row], "float64", type).jacobian;
  const wide = blocks(simd, [row], "float64", "float64").jacobian;
  let kept = Array.from(block.keys()).filter((n) => {
    const size = Math.abs(block[n] as number);
    return size > 0 && size >= threshold;
  });
  if (topK > 0)
    kept = kept
      .toSorted(
        (a, b) =>
          Math.abs(block[b] as number) - Math.abs(block[a] as number) || a - b,
      )
      .slice(0, topK)
      .toSorted((a, b) => a - b);
  const inside = new Set(kept);
  const out = Array.from(block.keys()).filter((n) => !inside.has(n));
  return {
    indices: kept,
    values: kept.map((n) => block[n] as number),
    droppedMax: Math.max(0, ...out.map((n) => Math.abs(block[n] as number))),
    droppedSum: sum(out.map((n) => exact(wide[n] as number).abs())).toNumber(),
  };
}

function check(
  row: number[],
  threshold: number,
  topK: number,
  float32: boolean,
) {
  const expected = byForce(row, threshold, topK, float32);
  for (const memory of [plain, simd]) {
    const found = entriesOf(memory, row, threshold, topK, float32);
    expect(found.indices).toEqual(expected.indices);
    expect(found.values).toEqual(expected.values);
    expect(found.droppedMax).toBe(expected.droppedMax);
    const slack = (float32 ? 1e-7 : 8 * 2 ** -52) * expected.droppedSum;
    expect(
      Math.abs(found.droppedSum - expected.droppedSum),
    ).toBeLessThanOrEqual(slack + row.length ** 2 * 2 ** -1074);
  }
}

const gauss = normal(random(12));
const rows = [
  ...hardRows().flatMap((family) =>
    family.rows.slice(0, 3).filter((row) => row.length <= 60),
  ),
  ...[1, 2, 3, 17, 40].map((Q) => Array.from({ length: Q }, () => 4 * gauss())),
];

test("with a threshold: what is at least as large, by force", () => {
  for (const row of rows)
    for (const threshold of [0, 1e-300, 1e-12, 1e-6, 1e-3, 0.1, 0.3])
      for (const float32 of [false, true]) check(row, threshold, 0, float32);
});

test("a threshold that is an entry's own value keeps it, the next larger does not", () => {
  const row = Array.from({ length: 12 }, () => 2 * gauss());
  const { jacobian } = blocks(simd, [row], "float64", "float64");
  for (const value of jacobian) {
    check(row, Math.abs(value), 0, false);
    check(row, Math.abs(value) * (1 + 2 ** -52), 0, false);
  }
});

test("top-k: the k largest, of equal ones the first", () => {
  for (const row of rows)
    for (const topK of [1, 2, 3, 7, 30, 100000])
      for (const float32 of [false, true]) check(row, 0, topK, float32);
});

test("both: the k largest of what reaches the threshold", () => {
  for (const row of rows)
    for (const topK of [1, 5, 50]) check(row, 1e-3, topK, false);
});
