import { readFileSync, writeFileSync } from "node:fs";
import type { Decimal } from "decimal.js";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/index.js";
import { softjacIn } from "../cli/support.js";
import { npy, zip } from "../support/array-files.js";
import { type Columns, writeArrow } from "../support/arrow-columns.js";
import { Exact, exact } from "../support/exact.js";
import { pairsOf } from "../support/pairs-of.js";
import { normal, random } from "../support/random.js";
import { runsIn, VERIFIED, verifyAll } from "../support/runs.js";
import { writeMatrix } from "../support/sums-files.js";

// Logits from features and coefficients, and standard errors of p from the covariance of the coefficients.

const { at, run, input, output } = runsIn();
const gauss = normal(random(3));
const [ROWS, K, Q] = [50, 3, 4];
const draw = (rows: number, columns: number, scale = 1) =>
  Array.from({ length: rows }, () =>
    Array.from({ length: columns }, () => scale * gauss()),
  );
/** Features with the constant, of which the covariance cancels most digits. */
const x = draw(ROWS, K - 1).map(([a = 0, b = 0]) => [1, 2000 + a, 5 * b]);
const b = draw(K, Q, 0.01);
const rest = b.map((row) => row.slice(1).map((v) => v - (row[0] as number)));

/** Returns A Aᵀ of random A, a covariance. */
function covariance(n: number): number[][] {
  const a = draw(n, n, 0.01);
  return a.map((u) =>
    a.map((v) =>
      u.reduce((sum, value, k) => sum + value * (v[k] as number), 0),
    ),
  );
}

const columns: Columns = {
  a: [x.map((row) => row[1]), "float64"],
  b: [x.map((row) => row[2]), "float64"],
  x: [x, `fixed_size_list<float64>[${K}]`],
  y: [x.map((_, r) => r % Q), "int32"],
};
writeArrow(input, columns, { batchRows: 17 });
const MODEL = {
  ...{ features: "a,b", intercept: true },
  coefficients: writeMatrix(at("B.npy"), rest),
  covarianceFile: writeMatrix(at("V.npy"), covariance(K * (Q - 1))),
  emit: ["softmax", "std_error", "covariance"] as const,
};

/** Reads a matrix of float64 as exact numbers. */
function exactMatrix(path: string, n: number) {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const values = new Float64Array(new Uint8Array(bytes.subarray(start)).buffer);
  return Array.from({ length: n }, (_, i) =>
    Array.from(
      values.subarray((i * values.length) / n, ((i + 1) * values.length) / n),
      exact,
    ),
  );
}

/** Computes p and its standard errors in 80 digits: J Σ J with Σ_cd = xᵀ V_cd x. */
function truth(row: readonly number[], full: number[][], v: Decimal[][]) {
  const at = <T>(values: readonly T[] | undefined, k: number) =>
    values?.[k] as T;
  const zero = new Exact(0);
  const logits = Array.from({ length: Q }, (_, c) =>
    row.reduce(
      (sum, xk, k) => sum.plus(exact(xk).times(at(at(full, k), c))),
      zero,
    ),
  );
  const powers = logits.map((o) => o.exp());
  const total = powers.reduce((sum, e) => sum.plus(e), zero);
  const p = powers.map((e) => e.div(total));
  const omitted = Q - v.length / K;
  const sigma = (c: number, d: number) => {
    if (c < omitted || d < omitted) return zero;
    let sum = zero;
    for (let k = 0; k < K; k++)
      for (let l = 0; l < K; l++)
        sum = sum.plus(
          at(at(v, (c - omitted) * K + k), (d - omitted) * K + l)
            .times(at(row, k))
            .times(at(row, l)),
        );
    return sum;
  };
  const J = p.map((pi, i) =>
    p.map((pj, j) => (i === j ? pi : zero).minus(pi.times(pj))),
  );
  const variance = J.map((row) => {
    let sum = zero;
    for (let c = 0; c < Q; c++)
      for (let d = 0; d < Q; d++)
        sum = sum.plus(at(row, c).times(sigma(c, d)).times(at(row, d)));
    return sum;
  });
  return {
    p: p.map(Number),
    errors: variance.map((value) => Number(value.sqrt())),
  };
}

describe("p and its standard errors, against 80 digits", () => {
  test.each<[string, Partial<RunOptions>, number]>([
    ["a reference class", {}, K * (Q - 1)],
    [
      "all classes, features in one column",
      {
        ...{ features: "x", intercept: false, base: "none" },
        coefficients: writeMatrix(at("all.npy"), b),
        covarianceFile: writeMatrix(at("V all.npy"), covariance(K * Q)),
      },
      K * Q,
    ],
  ])("%s", async (_, options, n) => {
    const { column } = await run({ ...MODEL, ...options });
    const given = { ...MODEL, base: 0, ...options };
    const { coefficients, covarianceFile, base } = given;
    const v = exactMatrix(`${covarianceFile}`, n);
    const stored = exactMatrix(`${coefficients}`, K).map((row) =>
      row.map(Number),
    );
    const full = base === "none" ? stored : stored.map((row) => [0, ...row]);
    let largest = [0, 0];
    for (const [r, row] of x.entries()) {
      const { p, errors } = truth(row, full, v);
      const differences = (found: number[], expected: number[]) =>
        Math.max(
          ...found.map((value, k) =>
            Math.abs(value / (expected[k] as number) - 1),
          ),
        );
      largest = [
        Math.max(largest[0] ?? 0, differences(column("softmax")[r], p)),
        Math.max(largest[1] ?? 0, differences(column("std_error")[r], errors)),
      ];
    }
    console.log("largest relative errors of p and std_error:", largest);
    // Logits of up to 100 are rounded once.
    expect(largest[0]).toBeLessThan(3e-14);
    expect(largest[1]).toBeLessThan(1e-12);
    expect(await verifyAll(output, input)).toMatchObject(VERIFIED);
  });
});

test("threads, chunks, record batches and formats do not change a byte", async () => {
  const options = {
    ...MODEL,
    keep: ["y"],
    emit: ["std_error", "cross_entropy"] as const,
    label: "y",
  };
  const { bytes } = await run(options);
  for (const [threads, chunkRows] of [
    [1, 7],
    [2, 20],
  ] as const)
    expect((await run({ ...options, threads, chunkRows })).bytes).toEqual(
      bytes,
    );
  const npz = at("x.npz");
  const array = npy(Float64Array.from(x.flat()), [ROWS, K]);
  writeFileSync(npz, zip({ "x.npy": array }));
  const own = { ...MODEL, features: "x", intercept: false };
  const { column } = await run({ ...own, input: npz });
  expect(column("std_error")).toEqual((await run(MODEL)).column("std_error"));
});

describe("rows with a feature that is not finite", () => {
  const bad = at("bad.arrow");
  const a = x.map((row, r) => (r === 5 ? Number.NaN : r === 7 ? null : row[1]));
  writeArrow(bad, { ...columns, a: [a, "float64"] });

  test("stop the run, are null, or are left out", async () => {
    const expected = (await run(MODEL)).column("std_error");
    await expect(run({ ...MODEL, input: bad })).rejects.toThrow(
      "row 5: expected a finite number in feature a, found NaN (--on-bad-row null keeps the row as null, skip drops it)",
    );
    const nulls = await run({ ...MODEL, input: bad, onBadRow: "null" });
    expect(nulls.column("std_error")).toEqual(
      expected.map((row, r) => (r === 5 || r === 7 ? null : row)),
    );
    expect(await verifyAll(output, bad)).toMatchObject(VERIFIED);
    const skipped = await run({ ...MODEL, input: bad, onBadRow: "skip" });
    expect(skipped.column("row").map(Number)).not.toContain(5);
    expect(skipped.column("std_error").length).toBe(ROWS - 2);
  });
});

const WRONG = `
--emit std_error
--covariance: std_error needs the name of a column, or with features the option --covariance-file
--emit std_error --covariance-file V.npy
--covariance-file: needs --coefficients
--features a,b
--features: needs --coefficients
--coefficients B.npy
--coefficients: needs --features
--features a,b --coefficients B.npy --column logits
--column: with coefficients the logits are features × coefficients; give only one of them
--features a,b --coefficients B.npy --temperature 2
--temperature: coefficients need 1
--features a,b --coefficients B.npy --covariance-file V.npy
--covariance-file: only for --emit covariance, variance, std_error, found softmax, jacobian
--features a,b --coefficients B.npy
B.npy: array: expected 2 rows, one per feature, found 3 × 3; if its first row is the intercept, add --intercept
`;

test.each(pairsOf(WRONG))("%s is refused", (words, message) => {
  const line = `run in.arrow -o none.arrow ${words}`;
  const found = softjacIn({ cwd: at("") }, ...line.split(" "));
  expect(found.stderr).toBe(`softjac: ${message}\n`);
});
