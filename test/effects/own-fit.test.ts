import { describe, expect, test } from "vitest";
import type { EffectName, EffectsOptions } from "../../src/index.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import {
  drawn,
  product,
  readOutput,
  softmax,
  writeDrawn,
  writeMatrix,
} from "../support/sums-files.js";

// A fit by Newton's method with `reduce`, and its effects against central differences of their definitions.

const at = workDirectory();
const [K, Q] = [3, 3];
const TRUE = [
  [0, 0.4, -0.3],
  [0, 0.8, -0.5],
  [0, -0.2, 0.3],
];
const TRUE_V = Array.from({ length: K * (Q - 1) }, (_, i) =>
  Array.from({ length: K * (Q - 1) }, (_, j) => Number(i === j)),
);
const data = drawn(1500, TRUE, 7);
const input = writeDrawn(at("data.arrow"), data);
const common = {
  ...{ inputs: [input], features: "a,b", intercept: true, label: "label" },
  ...{ weight: "w", coefficients: at("B.npy"), force: true },
};

/** Solves A x = y by elimination with pivots. */
function solve(a: readonly number[][], y: readonly number[]): number[] {
  const n = y.length;
  const m = a.map((row, i) => [...row, y[i] as number]);
  for (let k = 0; k < n; k++) {
    const size = (row: number[]) => Math.abs(row[k] as number);
    const best = m
      .slice(k)
      .reduce((a, b) => (size(a as number[]) >= size(b) ? a : b));
    const from = m.indexOf(best);
    [m[k], m[from]] = [best, m[k] as number[]];
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const factor = (m[i]?.[k] as number) / (best[k] as number);
      m[i] = (m[i] as number[]).map((v, j) => v - factor * (best[j] as number));
    }
  }
  return m.map((row, i) => (row[n] as number) / (row[i] as number));
}

/** Rows of `values` of length n, without those of the parameters of class 0. */
const withoutBase = (values: readonly number[], n: number) =>
  Array.from({ length: n - K }, (_, i) =>
    values.slice((i + K) * n + K, (i + K + 1) * n),
  );

let fit: { b: number[][]; information: number[][] } | null = null;

/** Fits the model, and writes its coefficients. */
async function newton(): Promise<NonNullable<typeof fit>> {
  if (fit) {
    writeMatrix(at("B.npy"), fit.b);
    return fit;
  }
  let b = TRUE.map(() => [0, 0]);
  for (let step = 0; ; step++) {
    writeMatrix(at("B.npy"), b);
    const output = at("sums.arrow");
    await built.reduce({ ...common, output, emit: ["score", "fisher"] });
    const { columns } = readOutput(output);
    const [score] = columns.score as number[][];
    const [fisher] = columns.fisher as number[][];
    const information = withoutBase(fisher as number[], K * Q);
    if (step === 8) {
      fit = { b, information };
      return fit;
    }
    const change = solve(information, (score as number[]).slice(K));
    b = b.map((row, k) =>
      row.map((value, c) => value + (change[c * K + k] as number)),
    );
  }
}

/** Returns the weighted mean of the effects of a row by their definitions. */
function average(
  kind: EffectName | "contrast",
  b: readonly number[][],
  j: number,
  k: number,
): number {
  const full = b.map((row) => [0, ...row]);
  let [sum, total] = [0, 0];
  for (const [row, x] of data.x.entries()) {
    const w = data.weight[row] as number;
    const p = softmax(product(x, full));
    const at = full[k] as number[];
    const slope =
      (at[j] as number) - p.reduce((s, q, l) => s + q * (at[l] ?? 0), 0);
    const own = p[j] as number;
    const xk = x[k] as number;
    const change = (value: number) =>
      softmax(product(x.with(k, value), full))[j] as number;
    const value = {
      probability: () => own,
      coefficients: () => at[j] as number,
      dydx: () => own * slope,
      eydx: () => slope,
      dyex: () => own * slope * xk,
      eyex: () => slope * xk,
      contrast: () => change(2) - change(-1),
    }[kind]();
    sum += w * value;
    total += w;
  }
  return sum / total;
}

test("a fit by Newton's method, and effects with their standard errors", async () => {
  const { b, information } = await newton();
  const kinds: EffectName[] = [
    ...(["dydx", "probability", "coefficients"] as const),
    ...(["eydx", "dyex", "eyex"] as const),
  ];
  const report = await built.effects({
    ...common,
    ...{ of: kinds, contrast: ["a", "b=-1:2"], constants: true },
  });
  expect(report.newtonDecrement).toBeLessThan(1e-20);
  expect(report.effects.length).toBe(3 * (4 * 3 + 1 + 2) + 6);
  let largest = [0, 0];
  for (const row of report.effects) {
    const isContrast = row.effect === "contrast -1:2";
    if (row.effect === "contrast 0:1") continue;
    const kind = isContrast
      ? "contrast"
      : row.effect === "coefficient"
        ? "coefficients"
        : (row.effect as EffectName);
    const k = Math.max(0, report.terms.indexOf(row.term ?? ""));
    const estimate = average(kind, b, Number(row.class), k);
    const step = 1e-4;
    const gradient = information.map((_, n) => {
      const [c, r] = [Math.floor(n / K), n % K];
      const moved = (by: number) =>
        average(
          kind,
          b.map((values, m) =>
            m === r ? values.with(c, (values[c] as number) + by) : values,
          ),
          ...([Number(row.class), k] as const),
        );
      const slopeOf = (h: number) => (moved(h) - moved(-h)) / (2 * h);
      // Richardson's extrapolation.
      return (4 * slopeOf(step) - slopeOf(2 * step)) / 3;
    });
    const variance = solve(information, gradient).reduce(
      (sum, value, n) => sum + value * (gradient[n] as number),
      0,
    );
    const error = Math.sqrt(variance);
    largest = [
      Math.max(largest[0] ?? 0, Math.abs(row.estimate - estimate) / error),
      Math.max(largest[1] ?? 0, Math.abs((row.std_error ?? 0) / error - 1)),
    ];
    const where = `${row.effect} of ${row.term} on ${row.class}`;
    expect(Math.abs(row.estimate - estimate), where).toBeLessThan(
      1e-12 * error,
    );
    expect(Math.abs((row.std_error ?? 0) / error - 1), where).toBeLessThan(
      1e-8,
    );
    const z = row.estimate / (row.std_error as number);
    expect(row.statistic).toBe(z);
    const width = (row.conf_high as number) - (row.conf_low as number);
    expect(width / (row.std_error as number)).toBeCloseTo(
      2 * 1.959963984540054,
      9,
    );
  }
  console.log("differences of estimates, of standard errors:", largest);
});

test("a warning for coefficients that do not fit, with the distance to the fit", async () => {
  writeMatrix(at("B.npy"), [
    [0.3, -0.3],
    [0.8, -0.5],
    [-0.2, 0.3],
  ]);
  const messages: string[] = [];
  const onEvent = (event: { event: string; message?: string }) => {
    if (event.event === "warning") messages.push(event.message ?? "");
  };
  const report = await built.effects(common, { onEvent });
  const distance = Math.sqrt(report.newtonDecrement as number).toPrecision(2);
  expect(messages).toEqual([
    `the coefficients do not maximize the likelihood of these rows (they are ${distance} standard errors from the maximum); --covariance fisher assumes that they do: use the columns, rows and weights of the fit, or --covariance-file`,
  ]);
  await built.effects({ ...common, covariance: "none" }, { onEvent });
  expect(messages.length).toBe(1);
});

test("the constant beside chosen features", async () => {
  const of = ["dydx", "coefficients"] as const;
  const terms = async (options: Partial<EffectsOptions>) => {
    const all = { ...common, ...options, of: [...of] };
    const { effects } = await built.effects(all);
    const ofFirst = (effect: string) =>
      effects
        .filter((one) => one.effect === effect && Number(one.class) === 1)
        .map(({ term }) => term);
    return [ofFirst("dydx"), ofFirst("coefficient")];
  };
  const [constant, a, b] = ["(intercept)", "a", "b"];
  expect(await terms({})).toEqual([
    [a, b],
    [constant, a, b],
  ]);
  expect(await terms({ terms: [b] })).toEqual([[b], [b]]);
  const both = [constant, b];
  expect(await terms({ terms: [b], constants: true })).toEqual([both, both]);
  const named = { terms: [b, constant], constants: true };
  expect(await terms(named)).toEqual([both, both]);
});

/** Collects the warnings of `effects`. */
async function warned(options: Partial<EffectsOptions>) {
  const messages: string[] = [];
  const report = await built.effects(
    { ...common, ...options },
    {
      onEvent: (event) =>
        event.event === "warning" && messages.push(event.message),
    },
  );
  return { report, messages };
}

describe("a covariance from a file", () => {
  const V = at("V.npy");
  const [by, label] = [["group"], undefined];

  test.each<[string, Partial<EffectsOptions>]>([
    ["with labels", {}],
    ["without labels", { label }],
    ["by group", { by, label }],
    ["at the mean, for contrasts", { at: "mean", label, contrast: ["a"] }],
  ])("in another order is noticed: %s", async (_, options) => {
    const { information } = await newton();
    const n = information.length;
    const unit = (k: number) => information.map((_, i) => Number(i === k));
    const inverse = information.map((_, k) => solve(information, unit(k)));
    writeMatrix(V, inverse);
    const right = await warned({ ...options, covarianceFile: V });
    expect(right.messages).toEqual([]);
    const order = information.map(
      (_, i) => (i % (Q - 1)) * K + ((i / (Q - 1)) | 0),
    );
    expect(new Set(order).size).toBe(n);
    const moved = order.map((i) => order.map((j) => inverse[i]?.[j] as number));
    writeMatrix(V, moved);
    const wrong = await warned({ ...options, covarianceFile: V });
    expect(wrong.messages).toEqual([
      `${V}: it seems to be ordered by feature, then class, since it fits the Fisher information of these rows much better that way; save it class-major, the coefficients of one class after those of another, or the standard errors are wrong`,
    ]);
    const own = await warned(options);
    for (const [k, { estimate, std_error }] of own.report.effects.entries()) {
      expect(right.report.effects[k]?.estimate).toBe(estimate);
      expect(
        (right.report.effects[k]?.std_error ?? 0) / (std_error as number),
      ).toBeCloseTo(1, 10);
    }
    expect(right.report.newtonDecrement).toBe(own.report.newtonDecrement);
  });

  test("with labels, coefficients that do not fit are noticed", async () => {
    await newton();
    writeMatrix(V, TRUE_V);
    writeMatrix(at("B.npy"), [
      [0.3, -0.3],
      [0.8, -0.5],
      [-0.2, 0.3],
    ]);
    const { report, messages } = await warned({ covarianceFile: V });
    const own = await built.effects(common);
    expect(report.newtonDecrement).toBe(own.newtonDecrement);
    const distance = Math.sqrt(report.newtonDecrement as number).toPrecision(2);
    expect(messages).toEqual([
      `the coefficients do not maximize the likelihood of these rows (they are ${distance} standard errors from the maximum); unless the fit was penalized or had other rows, check the order of the columns, the intercept and the weights`,
    ]);
  });
});

describe("separated classes are reported as singular", () => {
  /** Rows of which class 2 has a > 0 and the others a < 0, and those of class 1 only b > 0 with `quasi`. */
  const rows = drawn(400, TRUE, 9);
  const x = rows.x.map(([, a = 0, b = 0]) => [1, a + Math.sign(a), b]);
  const path = at("separated.arrow");
  const text =
    "it is singular: b of class 2 is determined by the terms before it (a collinear feature, or classes that are separated)";

  test.each([
    [60, "(intercept) of class 2"],
    [28, "(intercept) of class 2"],
  ])("slope %s", async (slope, name) => {
    writeDrawn(path, { ...rows, x });
    writeMatrix(at("B.npy"), [
      [0.1, 0],
      [0.2, slope],
      [-0.1, 0],
    ]);
    const options = { ...common, inputs: [path], label: undefined };
    await expect(built.effects(options)).rejects.toThrow(
      text.replace("b of class 2", name),
    );
    // Estimates exist.
    const none = await built.effects({ ...options, covariance: "none" });
    expect(none.effects.length).toBe(6);
  });

  test("a rare class is not separated", async () => {
    writeDrawn(path, { ...rows, x: rows.x });
    writeMatrix(at("B.npy"), [
      [0.1, -5],
      [0.2, 0.3],
      [-0.1, 0],
    ]);
    const options = { ...common, inputs: [path], label: undefined };
    expect((await built.effects(options)).effects.length).toBe(6);
  });
});

test("classes have the names of --class-names in the output", async () => {
  await newton();
  const output = at("named.arrow");
  const classNames = ["north", "east", "south"];
  const { effects } = await built.effects({ ...common, classNames, output });
  expect(effects.map((row) => row.class)).toEqual(
    classNames.flatMap((name) => [name, name]),
  );
  const { columns, meta } = readOutput(output);
  expect(columns.class).toEqual(effects.map((row) => row.class));
  expect(meta.get("softjac.class_names")).toBe(JSON.stringify(classNames));
  await expect(
    built.effects({ ...common, classNames: ["a", "b"] }),
  ).rejects.toThrow(
    "classNames: expected 3 names, one per class, found 2; write \\, for a comma in a name",
  );
});

test("labels from 1 to Q, with --class-names 1,2,3", async () => {
  await newton();
  const expected = await built.effects(common);
  const path = at("coded.arrow");
  writeDrawn(path, { ...data, label: data.label.map((y) => y + 1) });
  const options = { ...common, inputs: [path] };
  const found = await built.effects({
    ...options,
    classNames: ["1", "2", "3"],
  });
  expect(found.newtonDecrement).toBe(expected.newtonDecrement);
  expect(found.effects.map(({ std_error }) => std_error)).toEqual(
    expected.effects.map(({ std_error }) => std_error),
  );
  await expect(built.effects(options)).rejects.toThrow(
    "found 3 (classes are counted from 0; give other codes in class order, such as --class-names 1,2,3)",
  );
});
