import type { Decimal } from "decimal.js";
import * as code from "../../src/kernels/portable/codes.js";
import type { ReferenceName } from "../../src/reference/result.js";
import { EMIT_NAMES, EMITS } from "../../src/results/catalogue.js";
import { Exact, exact } from "./exact.js";
import { byTemperature, jacobianOf, logOf, sum, type Truth } from "./truth.js";

/** Value; null is -inf. */
export type Value = Decimal | null;

/** Returns values of a row for an input, and a class or the form of a covariance. */
type Values<V> = (row: Truth, input: number[], param: number) => V[];

/** Result with its true values in 80 digits; errors are relative to `scale`, or else to the values. */
export interface ResultCase {
  name: string;
  code: number;
  input?: (Q: number, draw: () => number) => number[];
  param?: (Q: number) => number;
  truth: Values<Value>;
  scale?: Values<Decimal>;
}

const at = (values: Decimal[], k = 0) => values[k] as Decimal;
const exactAt = (values: number[], k: number) => exact(values[k] as number);

function each<V extends Value>(
  valueAt: (row: Truth, k: number, input: number[], param: number) => V,
): Values<V> {
  return (row, ...given) => row.p.map((_, k) => valueAt(row, k, ...given));
}

/** Returns all entries of a block, row-major. */
function block(
  entryOf: (row: Truth, i: number, j: number) => Decimal,
): Values<Decimal> {
  return (row) => matrix(row, (i, j) => entryOf(row, i, j)).flat();
}

function matrix({ p }: Truth, entryOf: (i: number, j: number) => Decimal) {
  return p.map((_, i) => p.map((_, j) => entryOf(i, j)));
}

const vector = (length: number, draw: () => number) =>
  Array.from({ length }, draw);
const label = (Q: number, draw: () => number) => [
  Math.min(Q - 1, Math.floor(Math.abs(draw()) * Q)),
];

/** Returns v_k - ⟨p, v⟩ as Σ p_j (v_k - v_j). */
const offMean = ({ p }: Truth, k: number, v: number[]) =>
  sum(p.map((x, j) => x.times(exactAt(v, k).minus(exactAt(v, j)))));

/** Returns |v_k - v_a| + Σ p_j |v_j - v_a|, the error scale of offMean, whose terms may cancel. */
function spread({ p, a }: Truth, k: number, v: number[]): Decimal {
  const away = (j: number) => exactAt(v, j).minus(exactAt(v, a)).abs();
  return sum([away(k), ...p.map((x, j) => x.times(away(j)))]);
}

/** Returns √(p_k/T); each is used for Q entries. */
const roots = new WeakMap<Truth, Decimal[]>();
function rootsOf(row: Truth): Decimal[] {
  const known = roots.get(row) ?? row.p.map((p) => p.div(row.t).sqrt());
  roots.set(row, known);
  return known;
}

function factorAt(row: Truth, i: number, k: number): Decimal {
  const root = at(rootsOf(row), k);
  return i === k ? root.times(at(row.q, k)) : at(row.p, i).times(root).neg();
}

/** Returns Σ: its diagonal (form 0), upper triangle (1) or all values (2) are given. */
function sigmaOf(row: Truth, input: number[], form: number): Decimal[][] {
  const Q = row.p.length;
  return matrix(row, (i, j) => {
    if (form === 0) return i === j ? exactAt(input, i) : new Exact(0);
    if (form === 2) return exactAt(input, i * Q + j);
    const [low, high] = i < j ? [i, j] : [j, i];
    return exactAt(input, low * Q - (low * (low + 1)) / 2 + high);
  });
}

/** Returns J Σ J by its definition. */
function sandwich(...[row, input, form]: Parameters<typeof sigmaOf>) {
  const J = matrix(row, (i, j) => jacobianOf(row, i, j));
  const dot = (A: Decimal[][], B: Decimal[][]) =>
    matrix(row, (i, j) =>
      sum((A[i] ?? []).map((x, k) => x.times(at(B[k] ?? [], j)))),
    );
  return dot(dot(J, sigmaOf(row, input, form)), J);
}

/** Returns p_i p_j (|Σ'_ij| + r_i + c_j + s)/T² of docs/results.md, with sums of |Σ'|, Σ' = Σ_ij - Σ_aj - Σ_ia + Σ_aa. */
function sandwichSizes(...[row, input, form]: Parameters<typeof sigmaOf>) {
  const { p, a, t } = row;
  const S = sigmaOf(row, input, form);
  const entry = (i: number, j: number) => at(S[i] ?? [], j);
  const sizes = matrix(row, (i, j) =>
    entry(i, j).minus(entry(a, j)).minus(entry(i, a)).plus(entry(a, a)).abs(),
  );
  const meanOf = (values: Decimal[]) =>
    sum(values.map((x, k) => x.times(at(p, k))));
  const r = sizes.map(meanOf);
  const c = p.map((_, j) => meanOf(sizes.map((row) => at(row, j))));
  const s = meanOf(r);
  const overT = p.map((x) => byTemperature(x, t));
  return matrix(row, (i, j) =>
    sum([at(sizes[i] ?? [], j), at(r, i), at(c, j), s])
      .times(at(overT, i))
      .times(at(overT, j)),
  );
}

const diagonalOf = (rows: Decimal[][]) => rows.map((row, k) => at(row, k));

const CASES: Record<string, Omit<ResultCase, "name">> = {
  softmax: { code: code.SOFTMAX, truth: ({ p }) => p },
  jacobian: { code: code.JACOBIAN, truth: block(jacobianOf) },
  packed: {
    code: code.PACKED,
    truth: (row) =>
      matrix(row, (i, j) => jacobianOf(row, i, j)).flatMap((values, i) =>
        values.slice(i),
      ),
  },
  log_softmax: { code: code.LOG_SOFTMAX, truth: each(logOf) },
  logsumexp: {
    code: code.LOGSUMEXP,
    truth: ({ peak, log }) => [peak.plus(log)],
    // The sum of m/T and log1p(tail) may cancel, with an error of 2^-8 ε of the larger.
    scale: ({ peak, log }) => [
      peak.plus(log).abs().plus(peak.abs().plus(log).div(256)),
    ],
  },
  log_jacobian: {
    code: code.LOG_JACOBIAN,
    truth: block(({ p, q, t }, i, j) =>
      byTemperature(i === j ? at(q, i) : at(p, i).neg(), t),
    ),
  },
  "column of a class": {
    code: code.COLUMN,
    param: (Q) => Q - 1,
    truth: each((row, i, _, j) => jacobianOf(row, i, j)),
  },
  "column of a class column": {
    ...{ code: code.COLUMN, input: label },
    truth: each((row, i, [j = 0]) => jacobianOf(row, i, j)),
  },
  diagonal: {
    code: code.DIAGONAL,
    truth: each((row, i) => jacobianOf(row, i, i)),
  },
  trace: {
    code: code.TRACE,
    truth: (row) => [sum(row.p.map((_, i) => jacobianOf(row, i, i)))],
  },
  gini: {
    code: code.GINI,
    truth: ({ p, q }) => [sum(p.map((x, k) => x.times(at(q, k))))],
  },
  "vjp and jvp": {
    ...{ code: code.PRODUCT, input: vector },
    truth: each((row, k, v) =>
      at(row.p, k)
        .times(offMean(row, k, v))
        .div(row.t),
    ),
    scale: each((row, k, v) =>
      at(row.p, k)
        .times(spread(row, k, v))
        .div(row.t),
    ),
  },
  log_jvp: {
    ...{ code: code.LOG_JVP, input: vector },
    truth: each((row, k, v) => offMean(row, k, v).div(row.t)),
    scale: each((row, k, v) => spread(row, k, v).div(row.t)),
  },
  log_vjp: {
    ...{ code: code.LOG_VJP, input: vector },
    truth: ({ p, t }, g) => {
      const all = sum(g.map(exact));
      return p.map((x, k) => exactAt(g, k).minus(x.times(all)).div(t));
    },
    scale: ({ p, q, a, t }, g) => {
      const sizes = g.map((x) => exact(x).abs());
      const size = sum(sizes);
      const all = sum(g.map(exact)).abs();
      return sizes.map((own, k) =>
        k === a
          ? size.minus(own).plus(at(q, k).times(all)).div(t)
          : own.plus(at(p, k).times(size)).div(t),
      );
    },
  },
  factor: {
    code: code.FACTOR,
    truth: block(factorAt),
    scale: block((row, i, k) => factorAt(row, i, k).abs()),
  },
  cross_entropy: {
    ...{ code: code.CROSS_ENTROPY, input: label },
    truth: (row, [y = 0]) => [logOf(row, y)?.neg() ?? new Exact(Infinity)],
  },
  gradient: {
    ...{ code: code.GRADIENT, input: label },
    truth: each(({ p, q, t }, i, [y]) =>
      (i === y ? at(q, i).neg() : at(p, i)).div(t),
    ),
  },
  entropy: {
    code: code.ENTROPY,
    truth: (row) => [
      sum(row.p.map((p, k) => p.times(logOf(row, k) ?? 0).neg())),
    ],
  },
  confidence: { code: code.CONFIDENCE, truth: ({ p, a }) => [at(p, a)] },
  uncertainty: { code: code.UNCERTAINTY, truth: ({ q, a }) => [at(q, a)] },
  tail: { code: code.TAIL_SUM, truth: ({ tail }) => [tail] },
};

/** Returns the cases of a form of covariances. */
function casesOfForm(form: number): typeof CASES {
  const given: Pick<ResultCase, "input" | "param"> = {
    input: (Q, draw) =>
      vector([Q, (Q * (Q + 1)) / 2, Q * Q][form] as number, draw),
    param: () => form,
  };
  return {
    [`covariance, form ${form}`]: {
      ...given,
      code: code.COVARIANCE,
      truth: (...row) => sandwich(...row).flat(),
      scale: (...row) => sandwichSizes(...row).flat(),
    },
    [`variance, form ${form}`]: {
      ...given,
      code: code.VARIANCE,
      truth: (...row) => diagonalOf(sandwich(...row)),
      scale: (...row) => diagonalOf(sandwichSizes(...row)),
    },
    [`std_error, form ${form}`]: {
      ...given,
      code: code.STD_ERROR,
      truth: (...row) =>
        diagonalOf(sandwich(...row)).map((x) =>
          x.lt(0) ? exact(0) : x.sqrt(),
        ),
      // The root of a variance that cancels has fewer digits.
      scale: (...row) => {
        const variances = diagonalOf(sandwich(...row));
        return diagonalOf(sandwichSizes(...row)).map((size, k) => {
          const least = size.times(Number.EPSILON);
          const variance = at(variances, k);
          const root = (variance.gt(least) ? variance : least).sqrt();
          // Values under 1e-155 may be 0.
          const floor = exact(1e-155 * 2 ** 52);
          return root.isZero() ? floor : size.div(root).plus(floor);
        });
      },
    },
  };
}

export const RESULT_CASES = [CASES, ...[0, 1, 2].map(casesOfForm)]
  .flatMap((cases) => Object.entries(cases))
  .map(([name, spec]): ResultCase => ({ name, ...spec }));

/** Returns the names of the case in the catalogue. */
export function namesOf(spec: ResultCase): ReferenceName[] {
  return spec.code === code.PACKED
    ? ["packed"]
    : EMIT_NAMES.filter((name) => EMITS[name].code === spec.code);
}
