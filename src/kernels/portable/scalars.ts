import { loadF64 } from "./machine.js";
import {
  errorOfSum,
  LOG,
  LOG_LOW,
  PEAK,
  PEAK_LOW,
  pAt,
  paddedClasses,
  TAIL,
  TAIL_LOW,
  TEMPERATURE,
  TOTAL,
  TOTAL_LOW,
  UNSCALE,
  vectorAt,
  WINNER,
  winnerOf,
} from "./work.js";

// Results of one value; a = argmax, w = 1 - p_a.

/** Returns log Σ exp(o_k/T) = m/T + log1p(tail), of two terms in two doubles each. */
export function logSumExp(work: usize): f64 {
  const peak = loadF64(work + PEAK);
  const log = loadF64(work + LOG);
  const sum = peak + log;
  // With T < 1, m/T may exceed float64: the sum is ±∞, and its error NaN.
  if (sum - sum !== 0.0) return sum;
  return (
    sum +
    (errorOfSum(peak, log, sum) +
      (loadF64(work + PEAK_LOW) + loadF64(work + LOG_LOW)))
  );
}

/** Returns exp((o_k - m)/T)·2^512 rounded once; 0 for a. (The high part alone is off by more than an ε, see softmax.ts.) */
function powerAt(work: usize, classes: usize, k: usize): f64 {
  const at = vectorAt(work, classes, 1) + 8 * k;
  return loadF64(at) + loadF64(at + 8 * paddedClasses(classes));
}

/**
 * Returns 1 - Σp² = Σ p_k (1 - p_k), whose terms do not cancel; compensated. The term of a is p_a·w. The others are summed
 * before the division by S, so that a sum of many subnormals is rounded once.
 */
export function gini(work: usize, classes: usize): f64 {
  let sum = 0.0;
  let lost = 0.0;
  for (let k: usize = 0; k < classes; k++) {
    const term = powerAt(work, classes, k) * (1.0 - pAt(work, k));
    const s = sum + term;
    lost += errorOfSum(sum, term, s);
    sum = s;
  }
  const others = sum + lost;
  const correction = others * loadF64(work + TOTAL_LOW);
  return (
    (others - correction) / loadF64(work + TOTAL) +
    pAt(work, winnerOf(work)) * loadF64(work + WINNER)
  );
}

export function trace(work: usize, classes: usize): f64 {
  return gini(work, classes) / loadF64(work + TEMPERATURE);
}

/** Returns -Σ p_k log p_k = log1p(tail) + Σ p_k·(m - o_k)/T in nats; no term is negative. */
export function entropy(work: usize, classes: usize): f64 {
  const d = vectorAt(work, classes, 3);
  let sum = 0.0;
  let lost = 0.0;
  for (let k: usize = 0; k < classes; k++) {
    const e = powerAt(work, classes, k);
    if (e === 0.0) continue;
    const term = -(e * loadF64(d + 8 * k));
    const s = sum + term;
    lost += errorOfSum(sum, term, s);
    sum = s;
  }
  const spread = (sum + lost) / loadF64(work + TOTAL);
  return loadF64(work + LOG) + (loadF64(work + LOG_LOW) + spread);
}

/** Returns Σ exp((o_k - m)/T) over k != a. */
export function tailSum(work: usize): f64 {
  return (loadF64(work + TAIL) + loadF64(work + TAIL_LOW)) * UNSCALE;
}
