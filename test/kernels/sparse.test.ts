import { expect, test } from "vitest";
import {
  DIAGONAL,
  JACOBIAN,
  LOG_JACOBIAN,
  SOFTMAX,
} from "../../src/kernels/portable/codes.js";
import {
  rowCountAt,
  sparseSpaceBytes,
} from "../../src/kernels/portable/sparse-space.js";
import { workAreaBytes } from "../../src/kernels/portable/work.js";
import { exact } from "../support/exact.js";
import { hardRows } from "../support/hard-rows.js";
import { stored, testKernel } from "../support/kernels.js";
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

/** Which block, at what temperature; in tiles of how many rows, as pairs of i and j or as one index. */
interface Variant {
  code: number;
  t: number;
  tile: number;
  pairs: boolean;
}

function entriesOf(
  { kernel, buffer }: Memory,
  row: number[],
  threshold: number,
  topK: number,
  float32: boolean,
  { code, t, tile, pairs }: Variant,
): Entries {
  const Q = row.length;
  const space = 64 + Math.ceil(workAreaBytes(Q) / 64) * 64;
  const dropped = space + Math.ceil(sparseSpaceBytes(Q) / 64) * 64;
  const logits = dropped + 64;
  const indices = logits + 8 * Q + 64;
  const columns = indices + 4 * Q * Q + 64;
  const values = Math.ceil((columns + 4 * Q * Q) / 64) * 64;
  new Float64Array(buffer, Math.ceil(logits / 8) * 8, Q).set(row);
  kernel.prepare(64);
  kernel.loadRow(Math.ceil(logits / 8) * 8, false, Q, t, 64);
  const at = Math.ceil(indices / 8) * 8;
  const total = kernel.countEntries(
    code,
    64,
    Q,
    space,
    threshold,
    topK,
    float32,
    dropped,
  );
  // What is made: no more than is kept, but for one row of which some equal entries are left out.
  const rowCounts = new Int32Array(buffer, rowCountAt(space, Q, 0), Q);
  const made = rowCounts.reduce((sum, entries) => sum + entries, 0);
  expect(made).toBeGreaterThanOrEqual(total);
  expect(made).toBeLessThan(total + Q);
  const found: { indices: number[]; values: number[] } = {
    indices: [],
    values: [],
  };
  for (let i = 0; i < Q; i += tile) {
    const count = kernel.storeEntries(
      64,
      Q,
      space,
      i,
      Math.min(i + tile, Q),
      at,
      pairs ? columns : 0,
      values,
      float32,
    );
    const is = new Int32Array(buffer, at, count);
    const js = new Int32Array(buffer, columns, count);
    for (const [n, i] of is.entries())
      found.indices.push(pairs ? i * Q + (js[n] as number) : i);
    const stored = float32
      ? new Float32Array(buffer, values, count)
      : new Float64Array(buffer, values, count);
    for (const value of stored) found.values.push(value);
  }
  expect(found.values.length).toBe(total);
  const [droppedMax, droppedSum] = new Float64Array(buffer, dropped, 2);
  return {
    ...found,
    droppedMax: droppedMax as number,
    droppedSum: droppedSum as number,
  };
}

/** Expected entries by row; they depend on neither tiles nor pairs, so checks share them. */
const known = new WeakMap<number[], Map<string, Entries>>();
function byForce(
  row: number[],
  threshold: number,
  topK: number,
  float32: boolean,
  variant: Variant,
): Entries {
  const ofRow = known.get(row) ?? new Map<string, Entries>();
  known.set(row, ofRow);
  const key = [threshold, topK, float32, variant.code, variant.t].join();
  const entries =
    ofRow.get(key) ?? lookAtAll(row, threshold, topK, float32, variant);
  ofRow.set(key, entries);
  return entries;
}

/** The same as the kernel by looking at every entry of the block. */
function lookAtAll(
  row: number[],
  threshold: number,
  topK: number,
  float32: boolean,
  { code, t }: Variant,
): Entries {
  const [block, wide] = (["float32", "float64"] as const).map(
    (out) =>
      stored(simd, [row], [{ code, values: row.length ** 2 }], {
        out,
        temperature: t,
      }).results[0],
  ) as [Float32Array, Float64Array];
  const values = float32 ? block : wide;
  const sizes = Float64Array.from(values, Math.abs);
  const sizeAt = (n: number) => sizes[n] as number;
  let kept = Array.from(sizes.keys()).filter(
    (n) => sizeAt(n) > 0 && sizeAt(n) >= threshold,
  );
  if (topK > 0 && topK < kept.length)
    kept = kept
      .toSorted((a, b) => sizeAt(b) - sizeAt(a) || a - b)
      .slice(0, topK)
      .toSorted((a, b) => a - b);
  const isKept = new Uint8Array(sizes.length);
  for (const n of kept) isKept[n] = 1;
  return {
    indices: kept,
    values: kept.map((n) => values[n] as number),
    droppedMax: sizes.reduce(
      (most, size, n) => (isKept[n] ? most : Math.max(most, size)),
      0,
    ),
    droppedSum: compensatedSum(wide.filter((_, n) => !isKept[n]).map(Math.abs)),
  };
}

/** The sum of numbers that are not negative, within one ε of it (Neumaier's algorithm). */
function compensatedSum(values: Float64Array): number {
  let [high, low] = [0, 0];
  for (const value of values) {
    const next = high + value;
    low += high >= value ? high - next + value : value - next + high;
    high = next;
  }
  return high + low;
}

/** Every variant in turn, so that a check is as quick as with one. */
let turn = 0;
function nextVariant(Q: number): Variant {
  const n = turn++;
  return {
    code: n % 2 ? LOG_JACOBIAN : JACOBIAN,
    t: [1, 0.7, 1, 25, 1][n % 5] as number,
    tile: [Q, 1, 3, Math.ceil(Q / 2)][n % 4] as number,
    pairs: n % 3 === 0,
  };
}

function check(
  row: number[],
  threshold: number,
  topK: number,
  float32: boolean,
  variant = nextVariant(row.length),
) {
  const expected = byForce(row, threshold, topK, float32, variant);
  for (const memory of [plain, simd]) {
    const found = entriesOf(memory, row, threshold, topK, float32, variant);
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
      for (const float32 of [false, true])
        for (let n = 0; n < 3; n++) check(row, threshold, 0, float32);
});

test("a threshold that is an entry's own value keeps it, the next larger does not", () => {
  const row = Array.from({ length: 12 }, () => 2 * gauss());
  for (const code of [JACOBIAN, LOG_JACOBIAN]) {
    const variant = { code, t: 1, tile: 12, pairs: false };
    const values = stored(simd, [row], [{ code, values: 144 }]).results[0];
    for (const value of values as Float64Array) {
      check(row, Math.abs(value), 0, false, variant);
      check(row, Math.abs(value) * (1 + 2 ** -52), 0, false, variant);
    }
  }
});

test("top-k: the k largest, of equal ones the first", () => {
  for (const row of rows)
    for (const topK of [1, 2, 3, 7, 30, 100000])
      for (const float32 of [false, true])
        for (let n = 0; n < 3; n++) check(row, 0, topK, float32);
});

test("top-k: of rows of equal logits, whichever row of the block the k-th is in", () => {
  const equal = [2, 0, 0, 2, 0, 1, 0, 1];
  for (const code of [JACOBIAN, LOG_JACOBIAN])
    for (const tile of [1, 3, 8])
      for (let topK = 1; topK <= 65; topK++)
        for (const pairs of [false, true])
          check(equal, 0, topK, false, { code, t: 1, tile, pairs });
});

test("both: the k largest of what reaches the threshold", () => {
  for (const row of rows)
    for (const topK of [1, 5, 50]) check(row, 1e-3, topK, false);
});

test("of equal entries the first, where the next larger number has other high digits", () => {
  // A quarter over the temperature is an entry; of this one all low digits are ones.
  const entry = new Float64Array(
    Uint32Array.of(2 ** 32 - 1, 0x3fc55555).buffer,
  );
  const t = 0.25 / (entry[0] as number);
  expect(0.25 / t).toBe(entry[0]);
  for (const topK of [1, 2, 3])
    check([0, 0], 0, topK, false, { code: JACOBIAN, t, tile: 1, pairs: false });
});

test("the sum of what is left out is as good for many classes as for few", () => {
  const Q = 2000;
  const row = Array.from({ length: Q }, () => gauss() / 8);
  for (const memory of [
    testKernel("plain", 70 << 20),
    testKernel("simd", 70 << 20),
  ]) {
    const [p, own] = [SOFTMAX, DIAGONAL].map(
      (code) => stored(memory, [row], [{ code, values: Q }]).results[0],
    ) as [Float64Array, Float64Array];
    const all = sum([...p].map(exact));
    const expected = sum([
      ...Array.from(p, (x) => exact(x).times(all.minus(exact(x)))),
      ...Array.from(own, exact),
    ]);
    const { values, droppedSum } = entriesOf(memory, row, 1, 0, false, {
      code: JACOBIAN,
      t: 1,
      tile: Q,
      pairs: false,
    });
    expect(values).toEqual([]);
    const error = exact(droppedSum).minus(expected).abs().div(expected);
    expect(error.toNumber()).toBeLessThanOrEqual(2 ** -52);
  }
});

test("classes that come to a row a few at a time, in tiles", () => {
  // With each of ten steps of p 24 classes of 240 are added, too few to look at every class again and too many to sort by
  // insertion. Each has its own p, so that their order by p is none of their numbers.
  const classes = 240;
  const draw = random(21);
  const numbers = Array.from({ length: classes }, (_, k) => k);
  for (let k = classes - 1; k > 0; k--) {
    const other = Math.floor(draw() * (k + 1));
    [numbers[k], numbers[other]] = [numbers[other], numbers[k]] as [
      number,
      number,
    ];
  }
  const row = numbers.map((n) => -Math.floor(n / 24) - draw() / 10);
  const [p] = stored(simd, [row], [{ code: SOFTMAX, values: classes }]).results;
  const largest = Math.max(...(p as Float64Array));
  // p of the largest times that of step 9, and times that of step 4, less half a step
  for (const step of [9, 4])
    for (const tile of [classes, 37]) {
      const threshold = largest ** 2 * Math.exp(-step - 0.5);
      const variant = { code: JACOBIAN, t: 1, tile, pairs: true };
      check(row, threshold, 0, false, variant);
    }
});

test("many classes, many of which come to a row at once, in tiles", () => {
  // Steps of p: with each of them some 33 of 200 classes are added, so many that every class is looked at again.
  const levels = [0, -1.5, -3, -4, -9, -20];
  const draw = random(5);
  const row = Array.from(
    { length: 200 },
    () => levels[Math.floor(draw() * levels.length)] as number,
  );
  for (const code of [JACOBIAN, LOG_JACOBIAN])
    for (const tile of [200, 37, 1])
      for (const threshold of [0, 1e-12, 1e-8, 1e-6, 1e-5, 1e-4])
        check(row, threshold, 0, false, { code, t: 1, tile, pairs: true });
});
