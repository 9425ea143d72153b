import { describe, expect, test } from "vitest";
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
import {
  bothKernels,
  floatsAt,
  type Memory,
  stored,
} from "../support/kernels.js";
import { normal, random } from "../support/random.js";
import { upTo } from "../support/runs.js";
import { sum } from "../support/truth.js";

const kernels = bothKernels();
const simd = kernels[1] as Memory;

interface Entries {
  indices: number[];
  values: number[];
  droppedMax: number;
  droppedSum: number;
}

/** A choice of entries, and how they are stored: in tiles of some rows, as pairs of i and j or as one index. */
interface Choice {
  threshold: number;
  topK: number;
  float32: boolean;
  code: number;
  t: number;
  tile: number;
  pairs: boolean;
}

/** Returns what a kernel counts and stores. */
function entriesOf(
  { kernel, buffer }: Memory,
  row: number[],
  { threshold, topK, float32, code, t, tile, pairs }: Choice,
): Entries {
  const Q = row.length;
  let end = 64;
  const region = (bytes: number) => {
    const start = end;
    end += Math.ceil(bytes / 64) * 64;
    return start;
  };
  const work = region(workAreaBytes(Q));
  const space = region(sparseSpaceBytes(Q));
  const dropped = region(16);
  const logits = region(8 * Q);
  const indices = region(4 * Q * Q);
  const columns = region(4 * Q * Q);
  const values = end;
  new Float64Array(buffer, logits, Q).set(row);
  kernel.prepare(work);
  kernel.loadRow(logits, false, Q, t, work);
  const total = kernel.countEntries(
    ...[code, work, Q, space, threshold, topK, float32, dropped],
  );
  const counts = new Int32Array(buffer, rowCountAt(space, Q, 0), Q);
  const made = counts.reduce((sum, count) => sum + count, 0);
  // The counts of rows include the ties that are dropped from one row.
  expect(made).toBeGreaterThanOrEqual(total);
  expect(made).toBeLessThan(total + Q);
  const found: Entries = {
    indices: [],
    values: [],
    droppedMax: new Float64Array(buffer, dropped)[0] as number,
    droppedSum: new Float64Array(buffer, dropped)[1] as number,
  };
  for (let i = 0; i < Q; i += tile) {
    const count = kernel.storeEntries(
      ...[work, Q, space, i, Math.min(i + tile, Q)],
      ...[indices, pairs ? columns : 0, values, float32],
    );
    const js = new Int32Array(buffer, columns, count);
    for (const [n, index] of new Int32Array(buffer, indices, count).entries())
      found.indices.push(pairs ? index * Q + (js[n] as number) : index);
    const type = float32 ? "float32" : "float64";
    found.values.push(...floatsAt(buffer, type, values, count));
  }
  expect(found.values.length).toBe(total);
  return found;
}

/** Expected entries by row; they depend on neither tiles nor pairs, so checks share them. */
const known = new WeakMap<number[], Map<string, Entries>>();
function expectedOf(row: number[], choice: Choice): Entries {
  const { tile, pairs, ...own } = choice;
  const ofRow = known.get(row) ?? new Map<string, Entries>();
  known.set(row, ofRow);
  const key = JSON.stringify(own);
  const entries = ofRow.get(key) ?? chooseFromAll(row, choice);
  ofRow.set(key, entries);
  return entries;
}

/** Chooses from all entries of the block. */
function chooseFromAll(
  row: number[],
  { threshold, topK, float32, code, t }: Choice,
): Entries {
  const [narrow, wide] = (["float32", "float64"] as const).map((out) => {
    const entries = [{ code, values: row.length ** 2 }];
    return stored(simd, [row], entries, { out, temperature: t }).results[0];
  }) as [Float32Array, Float64Array];
  const values = float32 ? narrow : wide;
  const sizes = Float64Array.from(values, Math.abs);
  const sizeAt = (n: number) => sizes[n] as number;
  let kept = [...sizes.keys()].filter(
    (n) => sizeAt(n) > 0 && sizeAt(n) >= threshold,
  );
  if (topK > 0 && topK < kept.length)
    kept = kept
      .toSorted((a, b) => sizeAt(b) - sizeAt(a) || a - b)
      .slice(0, topK)
      .toSorted((a, b) => a - b);
  const isKept = new Set(kept);
  const rest = sizes.map((size, n) => (isKept.has(n) ? 0 : size));
  return {
    indices: kept,
    values: kept.map((n) => values[n] as number),
    droppedMax: rest.reduce((most, size) => Math.max(most, size), 0),
    droppedSum: compensatedSum(
      wide.map((value, n) => (isKept.has(n) ? 0 : Math.abs(value))),
    ),
  };
}

/** Returns the sum of numbers that are not negative within one ε of it (Neumaier's algorithm). */
function compensatedSum(values: Float64Array): number {
  let [high, low] = [0, 0];
  for (const value of values) {
    const next = high + value;
    low += high >= value ? high - next + value : value - next + high;
    high = next;
  }
  return high + low;
}

/** Number of checks so far: each takes the next block, temperature and way to store, unless they are given. */
let turn = 0;

function check(row: number[], given: Partial<Choice>): void {
  const [Q, n] = [row.length, turn++];
  const choice: Choice = {
    threshold: 0,
    topK: 0,
    float32: false,
    code: n % 2 ? LOG_JACOBIAN : JACOBIAN,
    t: [1, 0.7, 1, 25, 1][n % 5] as number,
    tile: [Q, 1, 3, Math.ceil(Q / 2)][n % 4] as number,
    pairs: n % 3 === 0,
    ...given,
  };
  const { droppedSum, ...expected } = expectedOf(row, choice);
  const slack = (choice.float32 ? 1e-7 : 8 * 2 ** -52) * droppedSum;
  for (const memory of kernels) {
    const found = entriesOf(memory, row, choice);
    expect(found).toMatchObject(expected);
    expect(Math.abs(found.droppedSum - droppedSum)).toBeLessThanOrEqual(
      slack + Q ** 2 * 2 ** -1074,
    );
  }
}

const gauss = normal(random(12));
const rows = [
  ...hardRows().flatMap(({ rows }) =>
    rows.slice(0, 3).filter(({ length }) => length <= 60),
  ),
  ...[1, 2, 3, 17, 40].map((Q) => Array.from({ length: Q }, () => 4 * gauss())),
];

describe.each([false, true])("float32: %s", (float32) => {
  const thresholds = [0, 1e-300, 1e-12, 1e-6, 1e-3, 0.1, 0.3];
  test.each<Partial<Choice>>([
    ...thresholds.map((threshold) => ({ threshold })),
    ...[1, 2, 3, 7, 30, 100000].map((topK) => ({ topK })),
    ...[1, 5, 50].map((topK) => ({ threshold: 1e-3, topK })),
  ])(
    "%j: those that are at least as large, the largest of them, of equal ones the first",
    (choice) => {
      for (const row of rows)
        for (let n = 0; n < 3; n++) check(row, { ...choice, float32 });
    },
  );
});

/** Returns rows, and thresholds by which many classes are added to a row of entries. */
function manyClasses(): [name: string, row: number[], thresholds: number[]][] {
  // Steps of p: with each, about 33 of 200 classes are added, so many that all classes are collected again.
  const levels = [0, -1.5, -3, -4, -9, -20];
  const draw = random(5);
  const level = () => levels[Math.floor(draw() * levels.length)] as number;
  // With each of ten steps of p, 24 of 240 classes are added: too few to collect all again, too many to sort by
  // insertion. No p is like another, so that their order is not that of the classes.
  const order = upTo(240).map((n) => [draw(), n] as const);
  const few = order
    .toSorted(([a], [b]) => a - b)
    .map(([, n]) => -Math.floor(n / 24) - draw() / 10);
  const [p] = stored(simd, [few], [{ code: SOFTMAX, values: 240 }]).results;
  const largest = Math.max(...(p as Float64Array));
  // p of the largest times that of a step, less half a step.
  const below = (step: number) => largest ** 2 * Math.exp(-step - 0.5);
  const thresholds = [0, 1e-12, 1e-8, 1e-6, 1e-5, 1e-4];
  return [
    ["many are added at once", upTo(200).map(level), thresholds],
    ["a few are added at a time", few, [below(9), below(4)]],
  ];
}

describe.each([JACOBIAN, LOG_JACOBIAN])("block %i", (code) => {
  test("a threshold equal to an entry keeps it, and the next larger drops it", () => {
    const row = Array.from({ length: 12 }, () => 2 * gauss());
    const [values] = stored(simd, [row], [{ code, values: 144 }]).results;
    for (const value of values as Float64Array)
      for (const factor of [1, 1 + 2 ** -52]) {
        const threshold = Math.abs(value) * factor;
        check(row, { threshold, code, t: 1, tile: 12, pairs: false });
      }
  });

  test("of equal entries, the last that is kept may be in any row", () => {
    const equal = [2, 0, 0, 2, 0, 1, 0, 1];
    for (const tile of [1, 3, 8])
      for (let topK = 1; topK <= 65; topK++)
        for (const pairs of [false, true])
          check(equal, { topK, code, t: 1, tile, pairs });
  });

  test.each(manyClasses())("many classes: %s", (_, row, thresholds) => {
    for (const tile of [row.length, 37, 1])
      for (const threshold of thresholds)
        check(row, { threshold, code, t: 1, tile, pairs: true });
  });
});

test("of equal entries the first, where the next larger number has other high digits", () => {
  // A quarter over the temperature is an entry; all its low digits are ones.
  const [entry = 0] = new Float64Array(
    Uint32Array.of(2 ** 32 - 1, 0x3fc55555).buffer,
  );
  const t = 0.25 / entry;
  expect(0.25 / t).toBe(entry);
  for (const topK of [1, 2, 3])
    check([0, 0], { topK, code: JACOBIAN, t, tile: 1, pairs: false });
});

test("the sum of the dropped entries is as good for many classes as for few", () => {
  const Q = 2000;
  const row = Array.from({ length: Q }, () => gauss() / 8);
  for (const memory of bothKernels(70 << 20)) {
    const [p = [], own = []] = [SOFTMAX, DIAGONAL].map((code) => {
      const [values] = stored(memory, [row], [{ code, values: Q }]).results;
      return [...(values as Float64Array)].map(exact);
    });
    const all = sum(p);
    const expected = sum([...p.map((x) => x.times(all.minus(x))), ...own]);
    const { values, droppedSum } = entriesOf(memory, row, {
      ...{ threshold: 1, topK: 0, float32: false },
      ...{ code: JACOBIAN, t: 1, tile: Q, pairs: false },
    });
    expect(values).toEqual([]);
    const error = exact(droppedSum).minus(expected).abs().div(expected);
    expect(error.toNumber()).toBeLessThanOrEqual(2 ** -52);
  }
});
