import type { Decimal } from "decimal.js";
import { describe, expect, test } from "vitest";
import * as code from "../../src/numeric/portable/codes.js";
import { EPSILON, Exact, errorInEpsilon, exact } from "../support/exact.js";
import { hardRows } from "../support/hard-rows.js";
import { type Entry, stored, testKernel } from "../support/kernels.js";
import { normal, random } from "../support/random.js";
import {
  jacobianOf,
  logOf,
  sum,
  type Truth,
  truthOf,
} from "../support/truth.js";

type Value = Decimal | null;

/** A result: its true values (null: -inf), its bound in ε, and what the bound is relative to where not to the value. */
interface Case {
  name: string;
  code: number;
  input?: (Q: number, draw: () => number) => number[];
  param?: (Q: number) => number;
  bound: number;
  truth(row: Truth, input: number[], param: number): Value[];
  scale?(row: Truth, input: number[], param: number): Decimal[];
}

const at = (values: Decimal[], k: number) => values[k] as Decimal;
const classesOf = ({ p }: Truth) => p.map((_, k) => k);
const square = (row: Truth, entry: (i: number, j: number) => Decimal) =>
  classesOf(row).flatMap((i) => classesOf(row).map((j) => entry(i, j)));
const vector = (Q: number, draw: () => number) =>
  Array.from({ length: Q }, draw);
const total = (values: Decimal[]) => [sum(values)];

/** v_k - ⟨p, v⟩ as Σ p_j (v_k - v_j), and Σ p_k |v_k - v_a|, which a sum of terms that may cancel is good to. */
const offMean = ({ p }: Truth, v: number[], k: number) =>
  sum(
    p.map((x, j) =>
      x.times(exact(v[k] as number).minus(exact(v[j] as number))),
    ),
  );
const spread = ({ p, a }: Truth, v: number[]) =>
  sum(
    p.map((x, k) =>
      x.times(
        exact(v[k] as number)
          .minus(exact(v[a] as number))
          .abs(),
      ),
    ),
  );
/** What the subnormals among p add to a sum: half a step each. */
const steps = (row: Truth, v: number[]) =>
  sum(v.map((_, k) => away(row, v, k)))
    .times(new Exact(2).pow(-1074))
    .div(EPSILON);
const away = ({ a }: Truth, v: number[], k: number) =>
  exact(v[k] as number)
    .minus(exact(v[a] as number))
    .abs();

function sigmaOf(row: Truth, input: number[], form: number) {
  const Q = row.p.length;
  return (i: number, j: number): Decimal => {
    if (form === 0) return i === j ? exact(input[i] as number) : new Exact(0);
    if (form === 2) return exact(input[i * Q + j] as number);
    const [low, high] = i < j ? [i, j] : [j, i];
    return exact(input[low * Q - (low * (low + 1)) / 2 + high] as number);
  };
}

/** (J Σ J)_ij, and Σ_kl |J_ik| |Σ'_kl| |J_lj|-like size: p_i p_j (|Σ'_ij| + Σ_k p_k(|Σ'_ik| + |Σ'_kj|) + …)/T². */
function sandwich(row: Truth, input: number[], form: number) {
  const { p, a, t } = row;
  const sigma = sigmaOf(row, input, form);
  const centred = (i: number, j: number) =>
    sigma(i, j).minus(sigma(a, j)).minus(sigma(i, a)).plus(sigma(a, a));
  const indices = classesOf(row);
  const table = indices.map((i) => indices.map((j) => centred(i, j)));
  const entry = (i: number, j: number) => at(table[i] as Decimal[], j);
  const rows = indices.map((i) =>
    sum(indices.map((k) => at(p, k).times(entry(i, k)))),
  );
  const columns = indices.map((j) =>
    sum(indices.map((k) => at(p, k).times(entry(k, j)))),
  );
  const all = sum(indices.map((k) => at(p, k).times(at(rows, k))));
  const rowSizes = indices.map((i) =>
    sum(indices.map((k) => at(p, k).times(entry(i, k).abs()))),
  );
  const columnSizes = indices.map((j) =>
    sum(indices.map((k) => at(p, k).times(entry(k, j).abs()))),
  );
  const allSize = sum(indices.map((k) => at(p, k).times(at(rowSizes, k))));
  const factor = (i: number, j: number) =>
    at(p, i).times(at(p, j)).div(t.times(t));
  return {
    value: (i: number, j: number) =>
      factor(i, j).times(
        entry(i, j).minus(at(rows, i)).minus(at(columns, j)).plus(all),
      ),
    size: (i: number, j: number) =>
      factor(i, j).times(
        entry(i, j)
          .abs()
          .plus(at(rowSizes, i))
          .plus(at(columnSizes, j))
          .plus(allSize),
      ),
  };
}

function factorAt(row: Truth, i: number, k: number): Decimal {
  const root = at(row.p, k).sqrt();
  return (
    i === k ? root.times(at(row.q, k)) : at(row.p, i).times(root).neg()
  ).div(row.t.sqrt());
}

const label = (Q: number, draw: () => number) => [
  Math.min(Q - 1, Math.floor(Math.abs(draw()) * Q)),
];
const covariances: Case[] = [0, 1, 2].flatMap((form): Case[] => {
  const input = (Q: number, draw: () => number) =>
    vector([Q, (Q * (Q + 1)) / 2, Q * Q][form] as number, draw);
  return [
    {
      name: `covariance, form ${form}`,
      code: code.COVARIANCE,
      input,
      param: () => form,
      bound: 6,
      truth: (row, v) => square(row, sandwich(row, v, form).value),
      scale: (row, v) => square(row, sandwich(row, v, form).size),
    },
    {
      name: `variance, form ${form}`,
      code: code.VARIANCE,
      input,
      param: () => form,
      bound: 6,
      truth: (row, v) => {
        const { value } = sandwich(row, v, form);
        return classesOf(row).map((i) => value(i, i));
      },
      scale: (row, v) => {
        const { size } = sandwich(row, v, form);
        return classesOf(row).map((i) => size(i, i));
      },
    },
  ];
});

const CASES: Case[] = [
  { name: "softmax", code: code.SOFTMAX, bound: 1.5, truth: ({ p }) => p },
  {
    name: "jacobian",
    code: code.JACOBIAN,
    bound: 3,
    truth: (row) => square(row, (i, j) => jacobianOf(row, i, j)),
  },
  {
    name: "packed",
    code: code.PACKED,
    bound: 3,
    truth: (row) =>
      classesOf(row).flatMap((i) =>
        classesOf(row)
          .filter((j) => j >= i)
          .map((j) => jacobianOf(row, i, j)),
      ),
  },
  {
    name: "log_softmax",
    code: code.LOG_SOFTMAX,
    bound: 1,
    truth: (row) => classesOf(row).map((k) => logOf(row, k)),
  },
  {
    name: "logsumexp",
    code: code.LOGSUMEXP,
    bound: 1,
    truth: ({ peak, log }) => [peak.plus(log)],
    // the sum of m/T and log1p(tail) may cancel: 2^-8 of an ε of the larger is then left
    scale: ({ peak, log }) => [
      peak.plus(log).abs().plus(peak.abs().plus(log).div(256)),
    ],
  },
  {
    name: "log_jacobian",
    code: code.LOG_JACOBIAN,
    bound: 3,
    truth: (row) =>
      square(row, (i, j) =>
        (i === j ? at(row.q, i) : at(row.p, i).neg()).div(row.t),
      ),
  },
  {
    name: "column of a class",
    code: code.COLUMN,
    param: (Q) => Q - 1,
    bound: 3,
    truth: (row, _, j) => classesOf(row).map((i) => jacobianOf(row, i, j)),
  },
  {
    name: "column of a class column",
    code: code.COLUMN,
    input: label,
    bound: 3,
    truth: (row, [j]) =>
      classesOf(row).map((i) => jacobianOf(row, i, j as number)),
  },
  {
    name: "diagonal",
    code: code.DIAGONAL,
    bound: 3,
    truth: (row) => classesOf(row).map((i) => jacobianOf(row, i, i)),
  },
  {
    name: "trace",
    code: code.TRACE,
    bound: 3,
    truth: (row) => total(classesOf(row).map((i) => jacobianOf(row, i, i))),
  },
  {
    name: "gini",
    code: code.GINI,
    bound: 3,
    truth: (row) => total(row.p.map((p, k) => p.times(at(row.q, k)))),
  },
  {
    name: "vjp and jvp",
    code: code.PRODUCT,
    input: vector,
    bound: 4,
    truth: (row, v) =>
      classesOf(row).map((k) =>
        at(row.p, k)
          .times(offMean(row, v, k))
          .div(row.t),
      ),
    scale: (row, v) =>
      classesOf(row).map((k) =>
        at(row.p, k)
          .times(away(row, v, k).plus(spread(row, v)))
          .plus(steps(row, v))
          .div(row.t),
      ),
  },
  {
    name: "log_jvp",
    code: code.LOG_JVP,
    input: vector,
    bound: 4,
    truth: (row, v) => classesOf(row).map((k) => offMean(row, v, k).div(row.t)),
    scale: (row, v) =>
      classesOf(row).map((k) =>
        away(row, v, k).plus(spread(row, v)).plus(steps(row, v)).div(row.t),
      ),
  },
  {
    name: "log_vjp",
    code: code.LOG_VJP,
    input: vector,
    bound: 4,
    truth: (row, g) => {
      const all = sum(g.map(exact));
      return classesOf(row).map((k) =>
        exact(g[k] as number)
          .minus(at(row.p, k).times(all))
          .div(row.t),
      );
    },
    scale: (row, g) => {
      const size = sum(g.map((x) => exact(x).abs()));
      const all = sum(g.map(exact)).abs();
      return classesOf(row).map((k) =>
        (k === row.a
          ? size
              .minus(exact(g[k] as number).abs())
              .plus(at(row.q, k).times(all))
          : exact(g[k] as number)
              .abs()
              .plus(at(row.p, k).times(size))
        ).div(row.t),
      );
    },
  },
  {
    name: "factor",
    code: code.FACTOR,
    bound: 4,
    truth: (row) => square(row, (i, k) => factorAt(row, i, k)),
    // p_k under e^-1000 count as 0: their roots are under 1e-217
    scale: (row) =>
      square(row, (i, k) =>
        factorAt(row, i, k).abs().plus(new Exact("1e-217").div(EPSILON)),
      ),
  },
  {
    name: "cross_entropy",
    code: code.CROSS_ENTROPY,
    input: label,
    bound: 1,
    truth: (row, [y]) => {
      const log = logOf(row, y as number);
      return [log === null ? new Exact(Infinity) : log.neg()];
    },
  },
  {
    name: "gradient",
    code: code.GRADIENT,
    input: label,
    bound: 3,
    truth: (row, [y]) =>
      classesOf(row).map((i) =>
        (i === y ? at(row.q, i).neg() : at(row.p, i)).div(row.t),
      ),
  },
  {
    name: "entropy",
    code: code.ENTROPY,
    bound: 3,
    truth: (row) =>
      total(
        row.p.map((p, k) => {
          const log = logOf(row, k);
          return log === null ? new Exact(0) : p.times(log).neg();
        }),
      ),
  },
  {
    name: "confidence",
    code: code.CONFIDENCE,
    bound: 1.5,
    truth: ({ p, a }) => [at(p, a)],
  },
  {
    name: "doubt",
    code: code.DOUBT,
    bound: 1.5,
    truth: ({ q, a }) => [at(q, a)],
  },
  {
    name: "tail",
    code: code.TAIL_SUM,
    bound: 1,
    truth: ({ tail }) => [tail],
  },
  ...covariances,
];

/** A difference in ε of `scale`, or of the smallest subnormal where that is larger; both -inf (or +inf): 0. */
function difference(value: number, truth: Value, scale?: Decimal): number {
  if (truth === null || !truth.isFinite())
    return value === (truth === null ? -Infinity : Infinity) ? 0 : Infinity;
  if (!Number.isFinite(value))
    return truth.abs().gt(Number.MAX_VALUE) ? 0 : Infinity;
  if (!scale) return errorInEpsilon(value, truth);
  const unit = scale.abs().times(EPSILON).plus(new Exact(2).pow(-1074));
  return exact(value).minus(truth).abs().div(unit).toNumber();
}

const truths = new Map<string, Truth>();
function cachedTruth(row: number[], temperature: number): Truth {
  const key = `${temperature}: ${row}`;
  const truth = truths.get(key) ?? truthOf(row, temperature);
  truths.set(key, truth);
  return truth;
}

/** Results of Q² values, or of as much work, are judged on shorter rows. */
const QUADRATIC =
  /^(jacobian|packed|log_jacobian|factor|vjp|log_jvp|covariance|variance)/;

function worstError(
  memory: ReturnType<typeof testKernel>,
  spec: Case,
  temperature: number,
): { error: number; where: string } {
  const draw = normal(random(5));
  const uniform = random(6);
  let worst = { error: 0, where: "" };
  for (const { name, rows } of hardRows()) {
    for (const row of rows.slice(0, 5)) {
      const Q = row.length;
      if (
        Q > (/variance/.test(spec.name) ? 10 : 50) &&
        QUADRATIC.test(spec.name)
      )
        continue;
      const input = spec.input?.(
        Q,
        spec.input === label ? () => uniform() : draw,
      );
      const param = spec.param?.(Q) ?? -1;
      const truth = cachedTruth(row, temperature);
      const expected = spec.truth(truth, input ?? [], param);
      const scale = spec.scale?.(truth, input ?? [], param);
      const entry: Entry = { code: spec.code, values: expected.length, param };
      if (input) entry.input = [input];
      const { results, bad } = stored(memory, [row], [entry], { temperature });
      expect(bad).toEqual([]);
      expected.forEach((value, k) => {
        const error = difference(results[0]?.[k] as number, value, scale?.[k]);
        if (!(error <= worst.error))
          worst = {
            error,
            where: `${name}, [${row.slice(0, 10)}], value ${k}: ${results[0]?.[k]}`,
          };
      });
    }
  }
  return worst;
}

const simd = testKernel("simd");
const plain = testKernel("plain");

describe.each([1, 0.7, 25])(
  "temperature %d, against 80 digits",
  (temperature) => {
    test.each(CASES)("$name", (spec) => {
      const { error, where } = worstError(simd, spec, temperature);
      if (process.env.SOFTJAC_SHOW_ERRORS)
        console.log(`${spec.name} T=${temperature}: ${error.toFixed(2)}`);
      expect(error, where).toBeLessThanOrEqual(spec.bound);
    });
  },
);

test.each(CASES)("the plain kernel gives the same bits: $name", (spec) => {
  const draw = normal(random(7));
  const uniform = random(8);
  for (const { rows } of hardRows())
    for (const row of rows.slice(0, 4)) {
      const Q = row.length;
      if (
        Q > (/variance/.test(spec.name) ? 33 : 110) &&
        QUADRATIC.test(spec.name)
      )
        continue;
      const param = spec.param?.(Q) ?? -1;
      const values = spec.truth(cachedShape(Q), Array(Q * Q).fill(0), param);
      const entry: Entry = { code: spec.code, values: values.length, param };
      if (spec.input)
        entry.input = [spec.input(Q, spec.input === label ? uniform : draw)];
      for (const temperature of [1, 0.7])
        for (const out of ["float64", "float32"] as const) {
          const options = { temperature, out };
          const a = stored(plain, [row], [entry], options);
          const b = stored(simd, [row], [entry], options);
          expect(b.bad).toEqual(a.bad);
          expect(bytesOf(b.results[0]).equals(bytesOf(a.results[0]))).toBe(
            true,
          );
        }
    }
});

function bytesOf(values: Float64Array | Float32Array | undefined): Buffer {
  const { buffer, byteOffset, byteLength } = values as Float64Array;
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** A truth of Q classes, for the number of values of a result alone. */
function cachedShape(Q: number): Truth {
  return cachedTruth(Array(Q).fill(0), 1);
}

test("labels and inputs that cannot be make a bad row", () => {
  const rows = [0, 1, 2, 3, 4].map((r) => [r, 1, 0.5]);
  const labels = [[0], [3], [-1], [0.5], [Number.NaN]];
  const vectors = [
    [1, 2, 3],
    [1, Number.NaN, 3],
    [Infinity, 0, 0],
    [0, 0, -Infinity],
    [0, 0, 0],
  ];
  for (const memory of [plain, simd]) {
    for (const c of [code.COLUMN, code.GRADIENT, code.CROSS_ENTROPY])
      expect(
        stored(memory, rows, [{ code: c, values: 3, input: labels }]).bad,
      ).toEqual([1, 2, 3, 4]);
    for (const c of [code.PRODUCT, code.LOG_VJP, code.LOG_JVP])
      expect(
        stored(memory, rows, [{ code: c, values: 3, input: vectors }]).bad,
      ).toEqual([1, 2, 3]);
    const covariance = { values: 9, input: vectors, param: 0 };
    expect(
      stored(memory, rows, [{ code: code.COVARIANCE, ...covariance }]).bad,
    ).toEqual([1, 2, 3]);
  }
});
