import type { Decimal } from "decimal.js";
import * as code from "../../src/numeric/portable/codes.js";
import type { ReferenceName } from "../../src/reference/result.js";
import { EMIT_NAMES, EMITS } from "../../src/results/catalogue.js";
import { Exact, exact } from "./exact.js";
import { jacobianOf, logOf, sum, type Truth } from "./truth.js";

export type Value = Decimal | null;

/** A result: its true values (null: -inf), and what its errors are relative to where not to the value, in 80 digits. */
export interface ResultCase {
  name: string;
  code: number;
  input?: (Q: number, draw: () => number) => number[];
  param?: (Q: number) => number;
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

export const label = (Q: number, draw: () => number) => [
  Math.min(Q - 1, Math.floor(Math.abs(draw()) * Q)),
];
const covariances: ResultCase[] = [0, 1, 2].flatMap((form): ResultCase[] => {
  const input = (Q: number, draw: () => number) =>
    vector([Q, (Q * (Q + 1)) / 2, Q * Q][form] as number, draw);
  return [
    {
      name: `covariance, form ${form}`,
      code: code.COVARIANCE,
      input,
      param: () => form,
      truth: (row, v) => square(row, sandwich(row, v, form).value),
      scale: (row, v) => square(row, sandwich(row, v, form).size),
    },
    {
      name: `variance, form ${form}`,
      code: code.VARIANCE,
      input,
      param: () => form,
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

export const RESULT_CASES: ResultCase[] = [
  { name: "softmax", code: code.SOFTMAX, truth: ({ p }) => p },
  {
    name: "jacobian",
    code: code.JACOBIAN,
    truth: (row) => square(row, (i, j) => jacobianOf(row, i, j)),
  },
  {
    name: "packed",
    code: code.PACKED,
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
    truth: (row) => classesOf(row).map((k) => logOf(row, k)),
  },
  {
    name: "logsumexp",
    code: code.LOGSUMEXP,
    truth: ({ peak, log }) => [peak.plus(log)],
    // the sum of m/T and log1p(tail) may cancel: 2^-8 of an ε of the larger is then left
    scale: ({ peak, log }) => [
      peak.plus(log).abs().plus(peak.abs().plus(log).div(256)),
    ],
  },
  {
    name: "log_jacobian",
    code: code.LOG_JACOBIAN,
    truth: (row) =>
      square(row, (i, j) =>
        (i === j ? at(row.q, i) : at(row.p, i).neg()).div(row.t),
      ),
  },
  {
    name: "column of a class",
    code: code.COLUMN,
    param: (Q) => Q - 1,
    truth: (row, _, j) => classesOf(row).map((i) => jacobianOf(row, i, j)),
  },
  {
    name: "column of a class column",
    code: code.COLUMN,
    input: label,
    truth: (row, [j]) =>
      classesOf(row).map((i) => jacobianOf(row, i, j as number)),
  },
  {
    name: "diagonal",
    code: code.DIAGONAL,
    truth: (row) => classesOf(row).map((i) => jacobianOf(row, i, i)),
  },
  {
    name: "trace",
    code: code.TRACE,
    truth: (row) => total(classesOf(row).map((i) => jacobianOf(row, i, i))),
  },
  {
    name: "gini",
    code: code.GINI,
    truth: (row) => total(row.p.map((p, k) => p.times(at(row.q, k)))),
  },
  {
    name: "vjp and jvp",
    code: code.PRODUCT,
    input: vector,
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
          .div(row.t),
      ),
  },
  {
    name: "log_jvp",
    code: code.LOG_JVP,
    input: vector,
    truth: (row, v) => classesOf(row).map((k) => offMean(row, v, k).div(row.t)),
    scale: (row, v) =>
      classesOf(row).map((k) =>
        away(row, v, k).plus(spread(row, v)).div(row.t),
      ),
  },
  {
    name: "log_vjp",
    code: code.LOG_VJP,
    input: vector,
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
    truth: (row) => square(row, (i, k) => factorAt(row, i, k)),
    scale: (row) => square(row, (i, k) => factorAt(row, i, k).abs()),
  },
  {
    name: "cross_entropy",
    code: code.CROSS_ENTROPY,
    input: label,
    truth: (row, [y]) => {
      const log = logOf(row, y as number);
      return [log === null ? new Exact(Infinity) : log.neg()];
    },
  },
  {
    name: "gradient",
    code: code.GRADIENT,
    input: label,
    truth: (row, [y]) =>
      classesOf(row).map((i) =>
        (i === y ? at(row.q, i).neg() : at(row.p, i)).div(row.t),
      ),
  },
  {
    name: "entropy",
    code: code.ENTROPY,
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
    truth: ({ p, a }) => [at(p, a)],
  },
  {
    name: "doubt",
    code: code.DOUBT,
    truth: ({ q, a }) => [at(q, a)],
  },
  {
    name: "tail",
    code: code.TAIL_SUM,
    truth: ({ tail }) => [tail],
  },
  ...covariances,
];

/** The results of the catalogue that a case is of. */
export function namesOf(spec: ResultCase): ReferenceName[] {
  return spec.code === code.PACKED
    ? ["packed"]
    : EMIT_NAMES.filter((name) => EMITS[name].code === spec.code);
}
