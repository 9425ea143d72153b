import { describe, expect, test } from "vitest";
import type { SoftmaxSumsOptions, SoftmaxSumsRows } from "../../src/index.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import {
  drawn,
  readOutput,
  writeDrawn,
  writeMatrix,
} from "../support/sums-files.js";

const at = workDirectory();
const B = [
  [0, 0.4, -0.3],
  [0, 0.8, -0.5],
  [0, -0.2, 0.3],
];
const ROWS = 3000;
const data = drawn(ROWS, B, 5);
const flat = (rows: number[][]) => Float64Array.from(rows.flat());
const emit = [
  "softmax",
  "jacobian",
  "loglik",
  "score",
  "fisher",
  "kfac",
  "accuracy",
] as const;

/** Rows [from, to) as arrays. */
function rowsOf(from: number, to: number, isModel: boolean): SoftmaxSumsRows {
  return {
    ...(isModel ? {} : { logits: flat(data.logits.slice(from, to)) }),
    features: flat(data.x.slice(from, to)),
    labels: data.label.slice(from, to),
    weights: Float64Array.from(data.weight.slice(from, to)),
  };
}

test.each([false, true])(
  "sums have the bits of reduce; with coefficients: %s",
  async (isModel) => {
    const input = writeDrawn(at(`data ${isModel}.arrow`), data);
    const output = at(`out ${isModel}.arrow`);
    const coefficients = writeMatrix(at("B.npy"), B);
    await built.reduce({
      ...{ inputs: [input], output, features: "x", label: "label" },
      ...(isModel ? { coefficients, base: "none" } : { column: "logits" }),
      ...{ weight: "w", emit },
    });
    const { columns } = readOutput(output);
    const options: SoftmaxSumsOptions = {
      ...{ classes: 3, features: 3, emit },
      ...(isModel ? { coefficients: flat(B) } : {}),
    };
    const whole = new built.SoftmaxSums(options);
    whole.add(rowsOf(0, ROWS, isModel));
    const { rows, weight, ...values } = whole.results();
    expect(columns.rows).toEqual([BigInt(rows)]);
    expect(columns.weight).toEqual([weight]);
    for (const [name, value] of Object.entries(values)) {
      const plain =
        typeof value === "object" ? Array.from(value as Float64Array) : value;
      expect(columns[name], name).toEqual([plain]);
    }
    // Whole blocks in any order, merged as sums or as bytes.
    const merged = new built.SoftmaxSums(options);
    merged.add(rowsOf(2048, ROWS, isModel));
    const other = new built.SoftmaxSums(options);
    other.add(rowsOf(0, 1024, isModel));
    merged.merge(other);
    const last = new built.SoftmaxSums(options);
    last.add(rowsOf(1024, 2048, isModel));
    merged.merge(last.toBytes());
    expect(merged.toBytes()).toEqual(whole.toBytes());
    expect(merged.results()).toEqual(whole.results());
    // Defaults and the order of options mean nothing.
    const reversed = Object.fromEntries(
      Object.entries(options).reverse(),
    ) as unknown as SoftmaxSumsOptions;
    const equal = new built.SoftmaxSums({
      temperature: 1,
      ...reversed,
    });
    equal.merge(whole);
  },
);

test("options may be changed after the sums have been created", () => {
  const options: SoftmaxSumsOptions & { emit: string[] } = {
    ...{ classes: 2, features: 1, emit: ["softmax"] },
    coefficients: Float64Array.of(0, 1),
  } as never;
  const [sums, same] = [
    new built.SoftmaxSums(options),
    new built.SoftmaxSums({ ...options, emit: ["softmax"] }),
  ];
  const bytes = sums.toBytes();
  options.emit.push("gini");
  options.coefficients?.fill(5);
  options.features = 3;
  expect(sums.toBytes()).toEqual(bytes);
  const rows = { features: Float64Array.of(2) };
  sums.add(rows);
  same.add(rows);
  expect(sums.results()).toEqual(same.results());
  sums.merge(same);
});

test("labels may be big integers", () => {
  const [some, same] = [0, 1].map(
    () => new built.SoftmaxSums({ classes: 2, emit: ["loglik"] }),
  );
  const logits = Float64Array.of(0, 1, 2, 3);
  some?.add({ logits, labels: [0, 1] });
  same?.add({ logits, labels: BigInt64Array.of(0n, 1n) as never });
  expect(same?.results()).toEqual(some?.results());
});

test("no rows, and rows of weight 0", () => {
  const sums = new built.SoftmaxSums({ classes: 2 });
  sums.add({ logits: new Float64Array(0) });
  const none = { rows: 0, weight: 0, softmax: null, jacobian: null };
  expect(sums.results()).toEqual(none);
  sums.add({ logits: new Float32Array(2), weights: Float64Array.of(0) });
  expect(sums.results()).toEqual({ ...none, rows: 1 });
});

describe("refused", () => {
  const two = { classes: 2, features: 1 };
  const floats = (...values: number[]) => Float64Array.from(values);
  const OPTIONS: Record<string, SoftmaxSumsOptions> = {
    "classes: expected a whole number from 1, found 0": { classes: 0 },
    "options: expected an object, found null": null as never,
    "missing required option classes": {} as never,
    "unknown option emits; the options are classes, features, emit, temperature, class, coefficients":
      { classes: 2, emits: ["gini"] } as never,
    "class: expected a whole number from 0, found -1": {
      ...{ classes: 2, emit: ["column"], class: -1 },
    },
    "classes, features: the results of 100000 classes and 0 features need more than 4 GiB of sums; choose smaller ones, such as kfac instead of fisher":
      { classes: 100_000 },
    "features: expected a whole number from 0, found 0.5": {
      ...{ classes: 2, features: 0.5 },
    },
    "emit: fisher needs features": { classes: 2, emit: ["fisher"] },
    "emit: gini is given twice": { classes: 2, emit: ["gini", "gini"] },
    "class: column needs a class": { classes: 2, emit: ["column"] },
    "class: expected a class from 0 to 1, found 2": {
      ...{ classes: 2, emit: ["column"], class: 2 },
    },
    "coefficients: expected 1 × 2 values, found 3": {
      ...{ ...two, coefficients: floats(1, 2, 3) },
    },
    "coefficients: expected finite numbers": {
      ...{ ...two, coefficients: floats(1, Number.NaN) },
    },
    "coefficients: expected a Float64Array, found [1, 2]": {
      ...{ ...two, coefficients: [1, 2] as never },
    },
    "temperature: coefficients need 1": {
      ...{ ...two, coefficients: floats(1, 2), temperature: 2 },
    },
    "temperature: expected a number from 1e-100 to 1e+100, found 0": {
      ...{ classes: 2, temperature: 0 },
    },
  };
  test.each(Object.entries(OPTIONS))("%s", (message, options) => {
    expect(() => new built.SoftmaxSums(options)).toThrow(message);
  });

  const logits = floats(0, 1, 2, 3);
  const features = floats(1, 2);
  const good = { logits, features, labels: [0, 1] };
  const bad = (row: number) =>
    `row ${row}: expected finite logits (or -inf for masked classes), finite inputs, a weight ≥ 0 and a label from 0 to 1`;
  test.each<[message: string, change: SoftmaxSumsRows]>([
    [
      "logits: expected rows of 2 values, found 3 values",
      { logits: floats(1, 2, 3) },
    ],
    ["logits: expected rows of 2 values, found none", { logits: undefined }],
    [
      "logits: expected a Float64Array or Float32Array, found Int32Array of 4 values",
      { logits: new Int32Array(4) as never },
    ],
    [
      "unknown option weight; the options are rows, logits, features, labels, weights, cotangents, tangents, covariances",
      { weight: floats(1, 1) } as never,
    ],
    [
      "logits: expected 2 × 2 values, found none",
      { logits: undefined, rows: 2 },
    ],
    ["features: expected 2 × 1 values, found none", { features: undefined }],
    ["labels: expected 2 × 1 values, found none", { labels: undefined }],
    ["labels: expected 2 × 1 values, found 1", { labels: [0] }],
    [
      "weights: expected a Float64Array, found [1, 1]",
      { weights: [1, 1] as never },
    ],
    [bad(1), { labels: [0, 2] }],
    [bad(1), { labels: [0, null as never] }],
    [bad(1), { weights: floats(1, -1) }],
    [bad(0), { logits: floats(Number.NaN, 0, 0, 0) }],
    [bad(1), { features: floats(1, Infinity) }],
    [
      "rows 0 to 1: a term of a sum is infinite",
      { features: floats(1, 1e200) },
    ],
  ])("%s", (message, change) => {
    const sums = new built.SoftmaxSums({ ...two, emit: ["score", "fisher"] });
    expect(() => sums.add({ ...good, ...change })).toThrow(message);
  });

  test("logits beside coefficients, and sums of other options", () => {
    const model = new built.SoftmaxSums({ ...two, coefficients: features });
    expect(() => model.add({ logits, features })).toThrow(
      "logits: coefficients compute them",
    );
    for (const other of [
      new built.SoftmaxSums(two),
      new built.SoftmaxSums({ ...two, coefficients: Float64Array.of(1, 3) }),
    ])
      expect(() => model.merge(other)).toThrow(
        "merge: these sums have other options",
      );
    expect(() => model.merge([1] as never)).toThrow(
      "merge: expected SoftmaxSums or the bytes of their state, found [1]",
    );
  });

  test("every changed byte of a state, and every shorter state", () => {
    const sums = new built.SoftmaxSums(two);
    sums.add(good);
    const bytes = sums.toBytes();
    const isRefused = (damaged: Uint8Array) =>
      expect(() => sums.merge(damaged)).toThrow(
        "merge: the bytes of these sums do not match their SHA-256, so they are damaged",
      );
    for (const k of bytes.keys()) {
      isRefused(bytes.map((byte, n) => (n === k ? byte ^ 1 : byte)));
      isRefused(bytes.subarray(0, k));
    }
    sums.merge(bytes);
    expect(sums.results().rows).toBe(4);
  });
});
