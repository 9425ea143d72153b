import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { inputs } from "../support/inputs-input.js";
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

const REFUSED = {
  "cotangent: expected 4 values (2 for each of 2 rows), found 1": {
    ...{ emit: ["vjp"], cotangent: [1] },
  },
  "covariance: expected 4, 6 or 8 values (2, 3 or 4 for each of 2 rows), found 1":
    { emit: ["variance"], covariance: [1] },
  "label: cross_entropy needs an array with the numbers of each row": {
    emit: ["cross_entropy"],
  },
  "class: column needs a class, or an array of one for each row": {
    emit: ["softmax", "column"],
  },
  "class: expected a whole number from 0, found 0.5": {
    ...{ emit: ["column"], class: 0.5 },
  },
  "logits: row 0: expected a class from 0 to 1 in class, or null, -1 or -100 for no label, found 2":
    { emit: ["column"], class: [2, 0] },
  'logits: row 0: expected a class from 0 to 1 in label, found NaN (onBadRow: "nan"':
    { emit: ["gradient"], label: [null, 0] },
  "label: expected an array of numbers, found null": {
    ...{ emit: ["gradient"], label: null },
  },
  'layout: expected one of bsr, packed, csr, coo, factored, found "full"': {
    ...{ emit: ["jacobian"], layout: "full" },
  },
  'temperature: expected a number from 1e-100 to 1e+100, found "2"': {
    ...{ emit: ["softmax"], temperature: "2" },
  },
  "emit: doubt was renamed to uncertainty": { emit: ["doubt"] },
  "emit: expected names among softmax, log_softmax": { emit: ["bad"] },
  "logits: row 1: expected finite logits": { emit: ["entropy"] },
  "unknown option temprature; the options are rows, classes, temperature, onBadRow, emit, layout, class, label, cotangent, tangent, covariance":
    { emit: ["softmax"], temprature: 2 },
};
const REFUSED_ENTRIES = {
  "logits: row 1: expected finite logits": {},
  "threshold: expected a number from 0, found -1": { threshold: -1 },
  "threshold: expected a number from 0, found NaN": { threshold: Number.NaN },
  "topK: expected a whole number from 1, found 0": { topK: 0 },
  "unknown option topk; the options are rows, classes, temperature, onBadRow, threshold, topK, of":
    { topk: 3 },
  'of: expected one of jacobian, log_jacobian, found "softmax"': {
    of: "softmax",
  },
};
test.each([
  ...Object.entries(REFUSED).map((one) => [softmaxResults, ...one] as const),
  ...Object.entries(REFUSED_ENTRIES).map((one) => [entriesOf, ...one] as const),
])("%o: %s", (compute, message, options) => {
  const all = { ...shape, ...options } as never;
  expect(() => compute(bad, all)).toThrow(message);
});

test("functions of one result refuse unknown options", () => {
  const options = { ...shape, onBadrow: "nan" };
  const message =
    "unknown option onBadrow; the options are rows, classes, temperature, onBadRow";
  const logits = Float64Array.of(1, 2, 3, 4);
  for (const call of [
    () => built.softmax(logits, options),
    () => built.softmaxJacobian(logits, options),
    () => built.softmaxJacobianColumn(logits, 1, options),
  ])
    expect(call).toThrow(message);
});

test.each([
  [-1, "class: expected a whole number from 0, found -1"],
  [0.5, "class: expected a whole number from 0, found 0.5"],
  [2, "class: expected a class from 0 to 1, found 2"],
  [undefined, "class: column needs a class"],
])("column %s", (j, message) => {
  const logits = Float64Array.of(1, 2, 3, 4);
  const call = () => built.softmaxJacobianColumn(logits, j as number, shape);
  expect(call).toThrow(message);
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
