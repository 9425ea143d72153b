import {
  storeCovariance,
  storeFactor,
  storeJacobian,
  storeLogJacobian,
  storePacked,
  storeVariance,
} from "./blocks.js";
import * as codes from "./codes.js";
import { loadF64, storeI32, storeValue } from "./machine.js";
import { entropy, gini, logSumExp, tailSum, trace } from "./scalars.js";
import {
  logSoftmaxAt,
  storeColumn,
  storeDiagonal,
  storeGradient,
  storeLogJvp,
  storeLogSoftmax,
  storeLogVjp,
  storeProduct,
} from "./vectors.js";
import { pAt, WINNER, winnerOf } from "./work.js";

/** Returns whether all of `count` values are finite. */
function finite(values: usize, count: usize): bool {
  let sum = 0.0;
  for (let k: usize = 0; k < count; k++) {
    const value = loadF64(values + 8 * k);
    sum += value - value;
  }
  return sum === 0.0;
}

/** Returns the number of values of a diagonal (form 0), an upper triangle (1) or a matrix (2). */
function covarianceValues(classes: usize, form: i32): usize {
  if (form === 0) return classes;
  return form === 1 ? (classes * (classes + 1)) / 2 : classes * classes;
}

/**
 * Stores one result of the row in the work area to `out`; for a block, its rows [iStart, iEnd). Each kernel has its own
 * code for SOFTMAX. `input` is the address of the row's auxiliary input (float64); `param` is a class, or the
 * form of a covariance. Returns false if the input is not finite, or not a class number.
 */
export function storePortableResult(
  code: i32,
  work: usize,
  classes: usize,
  iStart: usize,
  iEnd: usize,
  input: usize,
  param: i32,
  out: usize,
  float32: bool,
): bool {
  if (
    code === codes.PRODUCT ||
    code === codes.LOG_VJP ||
    code === codes.LOG_JVP
  ) {
    if (!finite(input, classes)) return false;
    if (code === codes.PRODUCT)
      storeProduct(work, classes, input, out, float32);
    else if (code === codes.LOG_VJP)
      storeLogVjp(work, classes, input, out, float32);
    else storeLogJvp(work, classes, input, out, float32);
    return true;
  }
  if (
    code === codes.COVARIANCE ||
    code === codes.VARIANCE ||
    code === codes.STD_ERROR
  ) {
    if (iStart === 0 && !finite(input, covarianceValues(classes, param)))
      return false;
    const isRoot = code === codes.STD_ERROR;
    if (isRoot || code === codes.VARIANCE)
      storeVariance(work, classes, input, param, isRoot, out, float32);
    else
      storeCovariance(work, classes, iStart, iEnd, input, param, out, float32);
    return true;
  }
  if (
    code === codes.COLUMN ||
    code === codes.GRADIENT ||
    code === codes.CROSS_ENTROPY
  ) {
    const y = param >= 0 ? (param as f64) : loadF64(input);
    if (!(y >= 0.0 && y < (classes as f64) && Math.floor(y) === y))
      return false;
    const label = y as usize;
    if (code === codes.COLUMN) storeColumn(work, classes, label, out, float32);
    else if (code === codes.GRADIENT)
      storeGradient(work, classes, label, out, float32);
    else storeValue(out, 0, -logSoftmaxAt(work, classes, label), float32);
    return true;
  }
  if (code === codes.JACOBIAN)
    storeJacobian(work, classes, iStart, iEnd, out, float32);
  else if (code === codes.PACKED)
    storePacked(work, classes, iStart, iEnd, out, float32);
  else if (code === codes.LOG_JACOBIAN)
    storeLogJacobian(work, classes, iStart, iEnd, out, float32);
  else if (code === codes.FACTOR)
    storeFactor(work, classes, iStart, iEnd, out, float32);
  else if (code === codes.LOG_SOFTMAX)
    storeLogSoftmax(work, classes, out, float32);
  else if (code === codes.DIAGONAL) storeDiagonal(work, classes, out, float32);
  else if (code === codes.ARGMAX_CLASS) storeI32(out, winnerOf(work) as i32);
  else storeValue(out, 0, scalar(code, work, classes), float32);
  return true;
}

function scalar(code: i32, work: usize, classes: usize): f64 {
  if (code === codes.LOGSUMEXP) return logSumExp(work);
  if (code === codes.TRACE) return trace(work, classes);
  if (code === codes.ENTROPY) return entropy(work, classes);
  if (code === codes.GINI) return gini(work, classes);
  if (code === codes.CONFIDENCE) return pAt(work, winnerOf(work));
  if (code === codes.UNCERTAINTY) return loadF64(work + WINNER);
  if (code === codes.TAIL_SUM) return tailSum(work);
  return 0.0;
}
