import { expect, test } from "vitest";
import { built } from "./support/built.js";
import { normal, random } from "./support/random.js";

const { softmaxJacobian, softmaxJacobianEntries } = built;

const drawLogits = (length: number, seed: number) => {
  const draw = normal(random(seed));
  return Float64Array.from({ length }, draw);
};

test.each([
  ["jacobian", {}],
  ["log_jacobian", {}],
  ["jacobian", { threshold: 1e-9 }],
  ["jacobian", { topK: 70_000 }],
] as const)(
  "%s, %o: blocks of more entries than are stored at once",
  (of, choice) => {
    const classes = 300;
    const rows = 2;
    const logits = drawLogits(rows * classes, 3);
    const whole = softmaxJacobianEntries(logits, { rows, classes, of });
    expect(whole.values.length).toBe(rows * classes ** 2);
    if (of === "jacobian")
      expect(whole.values).toEqual(softmaxJacobian(logits, { rows, classes }));
    const some = softmaxJacobianEntries(logits, {
      rows,
      classes,
      of,
      ...choice,
    });
    const expected = kept(whole, classes, choice);
    expect(some.indices).toEqual(
      Int32Array.from(expected, ({ index }) => index),
    );
    expect(some.values).toEqual(
      Float64Array.from(expected, ({ value }) => value),
    );
  },
);

test("20,000 classes and few entries need no room for a block", () => {
  const classes = 20_000;
  const logits = drawLogits(classes, 1);
  logits[17] = 20;
  logits[19_000] = 19;
  const found = softmaxJacobianEntries(logits, { rows: 1, classes, topK: 4 });
  const [a, b] = [17, 19_000];
  expect([...found.indices]).toEqual([
    a * classes + a,
    a * classes + b,
    b * classes + a,
    b * classes + b,
  ]);
  expect(found.values[1]).toBe(found.values[2]);
  expect(found.droppedMax[0]).toBeGreaterThan(0);
});

interface Entry {
  index: number;
  value: number;
}

/** What is kept of each block, by looking at every entry. */
function kept(
  { indices, values }: { indices: Int32Array; values: ArrayLike<number> },
  classes: number,
  {
    threshold = 0,
    topK = Number.POSITIVE_INFINITY,
  }: { threshold?: number; topK?: number },
): Entry[] {
  const entries = Array.from(indices, (index, n) => ({
    index,
    value: values[n] as number,
  }));
  const block = classes ** 2;
  return [entries.slice(0, block), entries.slice(block)].flatMap((ofRow) =>
    ofRow
      .filter(({ value }) => Math.abs(value) >= threshold)
      .sort(
        (a, b) => Math.abs(b.value) - Math.abs(a.value) || a.index - b.index,
      )
      .slice(0, topK)
      .sort((a, b) => a.index - b.index),
  );
}
