import type { ReferenceName } from "./result.js";

/**
 * The largest error of each result as the kernels compute it in float64, in ε = 2^-52 of the value itself, or of what
 * error-scales.ts has for it (docs/results.md).
 */
export const PROMISED_BOUNDS: Readonly<Record<ReferenceName, number>> = {
  softmax: 1.5,
  log_softmax: 1,
  logsumexp: 1,
  jacobian: 3,
  packed: 3,
  log_jacobian: 3,
  column: 3,
  diagonal: 3,
  trace: 3,
  vjp: 4,
  jvp: 4,
  log_vjp: 4,
  log_jvp: 4,
  factor: 4,
  covariance: 6,
  variance: 6,
  cross_entropy: 1,
  gradient: 3,
  entropy: 3,
  gini: 3,
  argmax: 0,
  confidence: 1.5,
  uncertainty: 1.5,
  tail: 1,
};
