import type { Decimal } from "decimal.js";
import * as code from "../../src/kernels/portable/codes.js";
import { Exact, exact } from "./exact.js";
import {
  at,
  classesOf,
  type ResultCase,
  square,
  vector,
} from "./result-case.js";
import { byTemperature, sum, type Truth } from "./truth.js";

function sigmaOf(row: Truth, input: number[], form: number) {
  const Q = row.p.length;
  return (i: number, j: number): Decimal => {
    if (form === 0) return i === j ? exact(input[i] as number) : new Exact(0);
    if (form === 2) return exact(input[i * Q + j] as number);
    const [low, high] = i < j ? [i, j] : [j, i];
    return exact(input[low * Q - (low * (low + 1)) / 2 + high] as number);
  };
}

/** Last sandwich of each input: tests need its values, then its sizes. */
const known = new WeakMap<
  number[],
  { row: Truth; form: number; made: ReturnType<typeof makeSandwich> }
>();

function sandwich(row: Truth, input: number[], form: number) {
  const last = known.get(input);
  if (last?.row === row && last.form === form) return last.made;
  const made = makeSandwich(row, input, form);
  known.set(input, { row, form, made });
  return made;
}

/** Returns (J Σ J)_ij, and its error scale p_i p_j (|Σ'_ij| + Σ_k p_k(|Σ'_ik| + |Σ'_kj|) + …)/T², similar to |J| |Σ'| |J|. */
function makeSandwich(row: Truth, input: number[], form: number) {
  const { p, a, t } = row;
  const overT = p.map((x) => byTemperature(x, t));
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
  const factor = (i: number, j: number) => at(overT, i).times(at(overT, j));
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

/** J Σ J and its diagonal for each form of Σ: 0 diagonal, 1 upper triangle, 2 square. */
export const COVARIANCE_CASES: ResultCase[] = [0, 1, 2].flatMap(
  (form): ResultCase[] => {
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
  },
);
