import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { inMemory, inputs } from "../support/inputs-input.js";
import { normal, random } from "../support/random.js";
import { upTo } from "../support/runs.js";

const { softmaxJacobianEntries: entriesOf, softmaxResults } = built;
const shape = { rows: 2, classes: 2 };
const bad = Float64Array.of(1, 2, Number.NaN, 4);

test("bad rows are NaN, and -1 in integer arrays; they have no entries", () => {
  const emit = ["entropy", "argmax"] as const;
  const options = { ...shape, onBadRow: "nan" as const };
  const { entropy, argmax } = softmaxResults(bad, { ...options, emit });
  expect([...entropy]).toEqual([expect.closeTo(0.5822, 4), Number.NaN]);
  expect([...argmax]).toEqual([1, -1]);
  const { offsets, droppedMax, droppedSum } = entriesOf(bad, options);
  expect([...offsets]).toEqual([0, 4, 4]);
  for (const dropped of [droppedMax, droppedSum])
    expect([...dropped]).toEqual([0, Number.NaN]);
});

test.each<[object, string]>([
  [
    { emit: ["vjp"], cotangent: [1] },
    "cotangent: expected 4 values (2 for each of 2 rows), found 1",
  ],
  [
    { emit: ["variance"], covariance: [1] },
    "covariance: expected 4, 6 or 8 values (2, 3 or 4 for each of 2 rows), found 1",
  ],
  [{ emit: ["bad"] }, "emit: expected names among softmax, log_softmax"],
  [{ emit: ["entropy"] }, "logits: row 1: expected finite logits"],
])("results refuse %j", (options, message) => {
  const all = { ...shape, ...options } as never;
  expect(() => softmaxResults(bad, all)).toThrow(message);
});

test.each<[object, string]>([
  [{}, "logits: row 1: expected finite logits"],
  [{ threshold: -1 }, "threshold: expected a number from 0, found -1"],
  [{ threshold: Number.NaN }, "threshold: expected a number from 0, found NaN"],
  [{ topK: 0 }, "topK: expected a whole number from 1, found 0"],
  [{ of: "softmax" }, 'of: expected jacobian or log_jacobian, found "softmax"'],
])("entries refuse %j", (options, message) => {
  const all = { ...shape, ...options } as never;
  expect(() => entriesOf(bad, all)).toThrow(message);
});

type Choice = { threshold?: number; topK?: number };

/** Returns the entries of blocks that are kept, found by looking at every entry. */
function kept(blocks: Float64Array, classes: number, choice: Choice) {
  const { threshold = 0, topK = Number.POSITIVE_INFINITY } = choice;
  const size = classes ** 2;
  return upTo(blocks.length / size).map((r) => {
    const block = blocks.subarray(r * size, (r + 1) * size);
    const abs = (n: number) => Math.abs(block[n] as number);
    const order = upTo(size)
      .filter((n) => abs(n) >= threshold)
      .sort((a, b) => abs(b) - abs(a) || a - b);
    const indices = order.slice(0, topK).sort((a, b) => a - b);
    const isKept = new Set(indices);
    const dropped = upTo(size).filter((n) => !isKept.has(n));
    return { indices, block, dropped: dropped.map(abs) };
  });
}

describe.each<[string, number, number, Choice]>([
  ["jacobian", 30, 6, { threshold: 0.01 }],
  // More entries than are stored at once.
  ["jacobian", 2, 300, {}],
  ["log_jacobian", 2, 300, {}],
  ["jacobian", 2, 300, { threshold: 1e-9 }],
  ["jacobian", 2, 300, { topK: 70_000 }],
])("entries of %s, %i x %i, %j", (name, rows, classes, choice) => {
  const of = name as "jacobian" | "log_jacobian";
  const all = inputs(rows, classes);

  test("are those of the blocks", () => {
    const options = { rows, classes, of, ...choice };
    const found = entriesOf(all.logits, options);
    const blocks = inMemory(all, [of])[of] as Float64Array;
    kept(blocks, classes, choice).forEach(({ indices, block, dropped }, r) => {
      const [from, to] = [found.offsets[r], found.offsets[r + 1]];
      expect(found.indices.subarray(from, to)).toEqual(
        Int32Array.from(indices),
      );
      expect(found.values.subarray(from, to)).toEqual(
        Float64Array.from(indices, (n) => block[n] as number),
      );
      const max = dropped.reduce((most, x) => Math.max(most, x), 0);
      expect(found.droppedMax[r]).toBe(max);
      const sum = dropped.reduce((total, x) => total + x, 0);
      expect(found.droppedSum[r]).toBeCloseTo(sum, 12);
    });
  });
});

test("entries of float32 logits are float32", () => {
  const { rows, classes, logits } = inputs(30, 6);
  const options = { rows, classes, topK: 4 };
  const { values, offsets } = entriesOf(Float32Array.from(logits), options);
  expect(values).toBeInstanceOf(Float32Array);
  expect([...offsets]).toEqual(upTo(rows + 1).map((r) => 4 * r));
});

test("20,000 classes and few entries need no memory for a block", () => {
  const classes = 20_000;
  const draw = normal(random(1));
  const logits = Float64Array.from({ length: classes }, draw);
  const [a, b] = [17, 19_000];
  logits.set([20], a);
  logits.set([19], b);
  const found = entriesOf(logits, { rows: 1, classes, topK: 4 });
  expect([...found.indices]).toEqual(
    [a, b].flatMap((i) => [a, b].map((j) => i * classes + j)),
  );
  expect(found.values[1]).toBe(found.values[2]);
  expect(found.droppedMax[0]).toBeGreaterThan(0);
});
