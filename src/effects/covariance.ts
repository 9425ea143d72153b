import type { Matrix } from "../model/coefficients.js";
import {
  indexOfSmallPivot,
  invertPositiveDefinite,
  quadraticForm,
  sandwich,
} from "../model/symmetric.js";
import { expanded, pairIndex } from "../results/reductions.js";
import { withoutClass } from "./means.js";

/** Sums over all rows: Fisher information, Gram matrix x xᵀ, score and outer products of scores, as the kernel stores them. */
export interface Totals {
  fisher?: Float64Array;
  gram?: Float64Array;
  score?: Float64Array;
  opg?: Float64Array;
}

/** Coefficients that a covariance belongs to. */
interface Parameters {
  features: number;
  classes: number;
  terms: readonly string[];
  /** Reference class. */
  base: number;
}

/** A covariance from a file in the order feature, class fits at least this many times better in the order class, feature. */
const MIN_GAIN = 2;

/**
 * Returns whether a covariance from a file is ordered by feature, then class: rearranged by class, then feature, it is much
 * closer to the inverse of the Fisher information. For V = H⁻¹ the trace of H V is the number of coefficients, the least
 * that a rearranged V can have up to the approximation H ≈ mean J ⊗ mean x xᵀ; the scale of H does not matter.
 */
export function isFeatureMajor(
  { values: v, rows: n }: Matrix,
  { j, xx }: { j: Float64Array; xx: Float64Array },
  { features: K, classes: Q, base }: Omit<Parameters, "terms">,
): boolean {
  const all = Array.from({ length: Q }, (_, c) => c);
  const own = n === K * Q ? all : all.filter((c) => c !== base);
  const trace = (indexOf: (c: number, k: number) => number) => {
    let sum = 0;
    for (const [c, classC] of own.entries())
      for (const [d, classD] of own.entries())
        for (let k = 0; k < K; k++)
          for (let l = 0; l < K; l++)
            sum +=
              (j[pairIndex(classC, classD, Q)] as number) *
              (xx[pairIndex(k, l, K)] as number) *
              (v[indexOf(c, k) * n + indexOf(d, l)] as number);
    return sum;
  };
  const asGiven = trace((c, k) => c * K + k);
  return asGiven > MIN_GAIN * trace((c, k) => k * own.length + c);
}

/**
 * Classes are separated along a coefficient if the mean of p(1 - p) in its direction is at most the first number, and its sum
 * at most the second. They have no maximum-likelihood estimate; a fit stops somewhere on the way to infinity, where the
 * information is small but not 0.
 */
const MAX_SEPARATED = 1e-8;
const MAX_SEPARATED_ROWS = 1e-3;

/**
 * Returns the covariance of the coefficients that the sums over all rows give, V = H⁻¹ or H⁻¹ O H⁻¹ without the reference class,
 * and the Newton decrement scoreᵀ H⁻¹ score; each null without the sums.
 * @param weight sum of the weights
 * @returns the name of a coefficient about which the rows have no information as `singular`
 */
export function covarianceOf(
  { fisher, gram, score, opg }: Totals,
  parameters: Parameters,
  weight: number,
): {
  v?: Float64Array;
  decrement: number | null;
  singular?: string;
} {
  if (!fisher || !gram) return { decrement: null };
  const { features, terms, base } = parameters;
  const whole = (sums: Float64Array) =>
    withoutClass(expanded("both", sums, parameters), features, base);
  const information = whole(fisher);
  const n = Math.sqrt(information.length);
  const inverse = invertPositiveDefinite(information, n);
  const index =
    inverse.kind === "singular"
      ? inverse.index
      : indexOfSmallPivot(
          ...([information, n] as const),
          ...([expanded("features", gram, parameters), features] as const),
          Math.min(MAX_SEPARATED, MAX_SEPARATED_ROWS / weight),
        );
  if (inverse.kind === "singular" || index >= 0) {
    const block = Math.floor(index / features);
    const term = terms[index - block * features];
    const singular = `${term} of class ${block + (block < base ? 0 : 1)}`;
    return { decrement: null, singular };
  }
  const ofParameters = score?.filter(
    (_, k) => Math.floor(k / features) !== base,
  );
  return {
    v: opg ? sandwich(inverse.matrix, whole(opg), n) : inverse.matrix,
    decrement: ofParameters
      ? quadraticForm(inverse.matrix, n, ofParameters)
      : null,
  };
}
