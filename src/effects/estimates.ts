import { CompensatedSums } from "../kernels/compensated-sums.js";
import { quadraticForm, symmetrized } from "../model/symmetric.js";
import { pairIndex, triangle } from "../results/reductions.js";
import { type MeanName, type Means, tripleIndex } from "./means.js";
import { normalQuantile, twoSidedP } from "./normal.js";

/** Coefficients of Q classes and K features, and their covariance. */
export interface Model {
  readonly features: number;
  readonly classes: number;
  /** B, features × classes, row-major, with the column of the reference class. */
  readonly b: Float64Array;
  /** Class from whose coefficients those of the others are measured. */
  readonly reference: number;
  /** Classes with K parameters each in V and in D, ascending. */
  readonly parameterClasses: readonly number[];
  /** Covariance of these parameters, class-major, exactly symmetric; undefined for no standard errors. */
  readonly v: Float64Array | undefined;
}

/**
 * Returns a model, which serves any number of groups.
 *
 * @param base reference class; undefined for none: then coefficients are b_c - b_0
 * @param v K(Q-1) × K(Q-1) without the reference class, or KQ × KQ
 */
export function createModel(
  [features, classes]: readonly [number, number],
  b: Float64Array,
  base?: number,
  v?: Float64Array,
): Model {
  const reference = base ?? 0;
  const size = features * classes;
  const all = Array.from({ length: classes }, (_, c) => c);
  const parameterClasses =
    v?.length === size * size ? all : all.filter((c) => c !== reference);
  const n = features * parameterClasses.length;
  const shape = { features, classes, reference, parameterClasses };
  return { ...shape, b, v: v && symmetrized(v, n) };
}

/** An effect on class j of feature k. For contrasts, `before` are the means with the feature at its old value. */
export interface Effect extends Model {
  readonly means: Required<Means>;
  readonly before?: Required<Means>;
  readonly j: number;
  readonly k: number;
}

interface Kind {
  /** Means of the estimate, and the others that D needs. */
  readonly means: readonly MeanName[];
  readonly errorMeans: readonly MeanName[];
  /** Adds the estimate to sum 0. */
  estimate(to: CompensatedSums, effect: Effect): void;
  /** Adds the derivatives by the parameters of class c to the K sums from `at` on. */
  derivative(to: CompensatedSums, effect: Effect, c: number, at: number): void;
}

const ONE = Float64Array.of(1);

const COEFFICIENT: Kind = {
  means: [],
  errorMeans: [],
  estimate(sums, { b, classes, reference, j, k }) {
    sums.add(0, 1, b, k * classes + j);
    sums.add(0, -1, b, k * classes + reference);
  },
  derivative(sums, { reference, j, k }, c, at) {
    if (c === j) sums.add(at + k, 1, ONE, 0);
    if (c === reference) sums.add(at + k, -1, ONE, 0);
  },
};

/** mean p_j, or its change; D_j,cr = mean(J_jc x_r) */
const PROBABILITY: Kind = {
  means: ["p"],
  errorMeans: ["jx"],
  estimate(sums, { means, before, j }) {
    sums.add(0, 1, means.p, j);
    if (before) sums.add(0, -1, before.p, j);
  },
  derivative(sums, { means, before, features, classes, j }, c, at) {
    const from = pairIndex(j, c, classes) * features;
    sums.add(at, 1, means.jx, from, features);
    if (before) sums.add(at, -1, before.jx, from, features);
  },
};

/**
 * Returns the kind of mean(s ∂f/∂x_k), with f = log p_j (`log`) or p_j, and s = x_k (`scaled`) or 1. `first` names the means
 * of s p or s J, `second` those of their derivatives. The estimate, and D_jk,cr, are
 *
 *   log:   mean(s) b_jk - Σ_l b_lk mean(s p_l),  δ_kr (δ_jc mean(s) - mean(s p_c)) - Σ_l b_lk mean(s J_lc x_r)
 *   else:  Σ_l b_lk mean(s J_jl),                δ_kr mean(s J_jc) + Σ_l b_lk mean(s T_jlc x_r)
 */
function slope(
  [first, second]: readonly [MeanName, MeanName],
  { log = false, scaled = false },
): Kind {
  const sign = log ? -1 : 1;
  const row = (k: number) => (scaled ? k : 0);
  /** Factor of b_jk itself. */
  const own = ({ means, k }: Effect) =>
    log ? ((scaled ? means.x[k] : 1) as number) : 0;
  /** Index of mean(s p_l) or mean(s J_jl). */
  const indexOf = ({ features, classes, j, k }: Effect, l: number) =>
    (log ? l : pairIndex(j, l, classes)) * (scaled ? features : 1) + row(k);
  return {
    means: log && scaled ? [first, "x"] : [first],
    errorMeans: [second],
    estimate(sums, effect) {
      const { means, b, classes, j, k } = effect;
      sums.add(0, own(effect), b, k * classes + j);
      for (let l = 0; l < classes; l++) {
        const factor = sign * (b[k * classes + l] as number);
        sums.add(0, factor, means[first], indexOf(effect, l));
      }
    },
    derivative(sums, effect, c, at) {
      const { means, b, features, classes, j, k } = effect;
      if (c === j) sums.add(at + k, own(effect), ONE, 0);
      sums.add(at + k, sign, means[first], indexOf(effect, c));
      const size = scaled ? triangle(features) : features;
      for (let l = 0; l < classes; l++) {
        const factor = sign * (b[k * classes + l] as number);
        const from = log
          ? size * pairIndex(l, c, classes)
          : size * tripleIndex(j, l, c, classes);
        sums.add(at, factor, means[second], from, features, row(k));
      }
    },
  };
}

const KINDS = {
  coefficients: COEFFICIENT,
  probability: PROBABILITY,
  contrast: PROBABILITY,
  dydx: slope(["j", "tx"], {}),
  eydx: slope(["p", "jx"], { log: true }),
  dyex: slope(["jx", "txx"], { scaled: true }),
  eyex: slope(["px", "jxx"], { log: true, scaled: true }),
} satisfies Record<string, Kind>;

export type EffectKind = keyof typeof KINDS;

/** Returns the names of the means that an effect needs, with or without standard errors. */
export function neededMeans(kind: EffectKind, errors: boolean): MeanName[] {
  const { means, errorMeans } = KINDS[kind];
  return [...means, ...(errors ? errorMeans : [])];
}

export interface Estimate {
  readonly class: number;
  /** Index of the feature; null for probabilities. */
  readonly term: number | null;
  readonly estimate: number;
  /** Null without a covariance. */
  readonly stdError: number | null;
}

/**
 * Returns effects on every class, by class and then by term. Coefficients omit the reference class. Effects at the mean
 * of x are effects with the means of that row.
 *
 * Estimates are within 8 ε of their absolute-value forms, variances within 32 ε of |D||V||D|ᵀ. One row of D exists at a
 * time.
 *
 * @param means all `neededMeans` of the group; for contrasts with the feature at its new value
 * @param terms features, ignored for probabilities
 * @param before for contrasts: means with the feature at its old value
 */
export function estimates(
  kind: EffectKind,
  model: Model,
  means: Means,
  terms: readonly number[],
  before?: Means,
): Estimate[] {
  const { classes, reference, v } = model;
  const out: Estimate[] = [];
  for (let j = 0; j < classes; j++) {
    if (kind === "coefficients" && j === reference) continue;
    for (const term of kind === "probability" ? [null] : terms) {
      const effect = { ...model, means, before, j, k: term ?? 0 } as Effect;
      const sums = new CompensatedSums(1);
      KINDS[kind].estimate(sums, effect);
      const estimate = sums.rounded()[0] as number;
      let stdError: number | null = null;
      if (v) {
        const row = derivativeRow(kind, effect);
        // V may be positive semidefinite up to rounding errors only.
        stdError = Math.sqrt(Math.max(0, quadraticForm(v, row.length, row)));
      }
      out.push({ class: j, term, estimate, stdError });
    }
  }
  return out;
}

/** Returns one row of D = ∂ estimate/∂B, class-major without the classes that have no parameters. */
export function derivativeRow(kind: EffectKind, effect: Effect): Float64Array {
  const { features, parameterClasses } = effect;
  const sums = new CompensatedSums(features * parameterClasses.length);
  parameterClasses.forEach((c, block) => {
    KINDS[kind].derivative(sums, effect, c, block * features);
  });
  return sums.rounded();
}

/** Returns the function that gives the z statistic of an estimate, its two-sided p-value and its Wald interval. */
export function inferenceAt(level: number) {
  const quantile = normalQuantile(level);
  return (estimate: number, stdError: number | null) => {
    const statistic = stdError ? estimate / stdError : null;
    const margin = stdError === null ? null : quantile * stdError;
    return {
      statistic,
      p_value: statistic === null ? null : twoSidedP(statistic),
      conf_low: margin === null ? null : estimate - margin,
      conf_high: margin === null ? null : estimate + margin,
    };
  };
}
