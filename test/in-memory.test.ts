import { expect, test } from "vitest";
import { built } from "./support/built.js";
import { inputs } from "./support/inputs-input.js";
import { inMemory } from "./support/plain-rows.js";

test("in memory: inputs that do not fit, and NaN rows", () => {
  const logits = Float64Array.of(1, 2, Number.NaN, 4);
  const shape = { rows: 2, classes: 2 };
  expect(() =>
    built.softmaxResults(logits, { ...shape, emit: ["vjp"], cotangent: [1] }),
  ).toThrow("cotangent: expected 4 values (2 for each of 2 rows), found 1");
  expect(() =>
    built.softmaxResults(logits, { ...shape, emit: ["bad"] as never }),
  ).toThrow("emit: expected names among softmax, log_softmax");
  expect(() =>
    built.softmaxResults(logits, { ...shape, emit: ["entropy"] }),
  ).toThrow("logits: row 1: expected finite logits");
  const { entropy, argmax } = built.softmaxResults(logits, {
    ...shape,
    emit: ["entropy", "argmax"],
    onBadRow: "nan",
  });
  expect(Array.from(entropy as Float64Array)).toEqual([
    expect.closeTo(0.5822, 4),
    Number.NaN,
  ]);
  expect(Array.from(argmax as Int32Array)).toEqual([1, -1]);
});

test("entries: compressed sparse rows of what is large enough", () => {
  const all = inputs(30, 6);
  const { rows, classes } = all;
  const J = inMemory(all, ["jacobian"]).jacobian as Float64Array;
  const { offsets, indices, values, droppedMax, droppedSum } =
    built.softmaxJacobianEntries(all.logits, {
      rows,
      classes,
      threshold: 0.01,
    });
  for (let r = 0; r < rows; r++) {
    const block = Array.from(J.subarray(r * 36, (r + 1) * 36));
    const [from, to] = [offsets[r], offsets[r + 1]];
    const kept = block.flatMap((x, n) => (Math.abs(x) >= 0.01 ? [n] : []));
    expect([...indices.subarray(from, to)]).toEqual(kept);
    expect([...values.subarray(from, to)]).toEqual(kept.map((n) => block[n]));
    const small = block.filter((x) => Math.abs(x) < 0.01).map(Math.abs);
    expect(droppedMax[r]).toBe(Math.max(0, ...small));
    expect(droppedSum[r]).toBeCloseTo(
      small.reduce((s, x) => s + x, 0),
      14,
    );
  }
  const top = built.softmaxJacobianEntries(Float32Array.from(all.logits), {
    rows,
    classes,
    topK: 4,
  });
  expect(top.values).toBeInstanceOf(Float32Array);
  expect(Array.from(top.offsets)).toEqual(
    Array.from({ length: rows + 1 }, (_, r) => 4 * r),
  );
});

test("entries: bad rows and limits that cannot be", () => {
  const logits = Float64Array.of(1, 2, Number.NaN, 0);
  const shape = { rows: 2, classes: 2 };
  expect(() => built.softmaxJacobianEntries(logits, shape)).toThrow(
    "logits: row 1: expected finite logits",
  );
  const { offsets, droppedSum } = built.softmaxJacobianEntries(logits, {
    ...shape,
    onBadRow: "nan",
  });
  expect([...offsets]).toEqual([0, 4, 4]);
  expect([...droppedSum]).toEqual([0, Number.NaN]);
  for (const [wrong, message] of [
    [{ threshold: -1 }, "threshold: expected a number from 0, found -1"],
    [
      { threshold: Number.NaN },
      "threshold: expected a number from 0, found NaN",
    ],
    [{ topK: 0 }, "topK: expected a whole number from 1, found 0"],
  ] as const)
    expect(() =>
      built.softmaxJacobianEntries(logits, { ...shape, ...wrong }),
    ).toThrow(message);
});
