import type { Decimal } from "decimal.js";
import * as code from "../../src/kernels/portable/codes.js";
import type { ReferenceName } from "../../src/reference/result.js";
import { EMIT_NAMES, EMITS } from "../../src/results/catalogue.js";
import { COVARIANCE_CASES } from "./covariance-cases.js";
import { Exact, exact } from "./exact.js";
import {
  at,
  classesOf,
  type ResultCase,
  square,
  total,
  vector,
} from "./result-case.js";
import { byTemperature, jacobianOf, logOf, sum, type Truth } from "./truth.js";

/** Returns v_k - ⟨p, v⟩ as Σ p_j (v_k - v_j). */
const offMean = ({ p }: Truth, v: number[], k: number) =>
  sum(
    p.map((x, j) =>
      x.times(exact(v[k] as number).minus(exact(v[j] as number))),
    ),
  );
/** Returns Σ p_k |v_k - v_a|, the error scale of sums whose terms may cancel. */
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

/** sqrt(p_k/T) of every class, cached because each is used for Q entries. */
const roots = new WeakMap<Truth, Decimal[]>();
function rootsOf(row: Truth): Decimal[] {
  const known = roots.get(row);
  if (known) return known;
  const rootOfT = row.t.sqrt();
  const made = row.p.map((p) => p.sqrt().div(rootOfT));
  roots.set(row, made);
  return made;
}

function factorAt(row: Truth, i: number, k: number): Decimal {
  const root = at(rootsOf(row), k);
  return i === k ? root.times(at(row.q, k)) : at(row.p, i).times(root).neg();
}

const label = (Q: number, draw: () => number) => [
  Math.min(Q - 1, Math.floor(Math.abs(draw()) * Q)),
];

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
    // The sum of m/T and log1p(tail) may cancel, with an error of 2^-8 ε of the larger.
    scale: ({ peak, log }) => [
      peak.plus(log).abs().plus(peak.abs().plus(log).div(256)),
    ],
  },
  {
    name: "log_jacobian",
    code: code.LOG_JACOBIAN,
    truth: (row) =>
      square(row, (i, j) =>
        byTemperature(i === j ? at(row.q, i) : at(row.p, i).neg(), row.t),
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
    name: "uncertainty",
    code: code.UNCERTAINTY,
    truth: ({ q, a }) => [at(q, a)],
  },
  {
    name: "tail",
    code: code.TAIL_SUM,
    truth: ({ tail }) => [tail],
  },
  ...COVARIANCE_CASES,
];

/** Returns the names of the case in the catalogue. */
export function namesOf(spec: ResultCase): ReferenceName[] {
  return spec.code === code.PACKED
    ? ["packed"]
    : EMIT_NAMES.filter((name) => EMITS[name].code === spec.code);
}
