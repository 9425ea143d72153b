import { diagonalAt, storeRowEntries } from "./entries.js";
import { loadF64, storeF64, storeValue } from "./machine.js";

import {
  errorOfSum,
  pAt,
  TEMPERATURE,
  TOTAL,
  TOTAL_LOW,
  UNSCALE,
  vectorAt,
  WINNER,
  winnerOf,
} from "./work.js";

// Blocks: every function stores rows [iStart, iEnd), row-major. a = argmax.

/** Stores J = (diag(p) - p pᵀ)/T. */
export function storeJacobian(
  work: usize,
  classes: usize,
  iStart: usize,
  iEnd: usize,
  out: usize,
  float32: bool,
): void {
  const width: usize = float32 ? 4 : 8;
  for (let i = iStart; i < iEnd; i++) {
    storeRowEntries(work, classes, i, 0, classes, out, float32);
    storeValue(out, i, diagonalAt(work, classes, i), float32);
    out += classes * width;
  }
}

/** Stores the upper triangle of J, row by row, each row from its diagonal on (the order of numpy.triu_indices). */
export function storePacked(
  work: usize,
  classes: usize,
  iStart: usize,
  iEnd: usize,
  out: usize,
  float32: bool,
): void {
  const width: usize = float32 ? 4 : 8;
  for (let i = iStart; i < iEnd; i++) {
    storeRowEntries(work, classes, i, i, classes, out, float32);
    storeValue(out, 0, diagonalAt(work, classes, i), float32);
    out += (classes - i) * width;
  }
}

/** Stores ∂ log p_j / ∂o_i = (δ_ij - p_i)/T. */
export function storeLogJacobian(
  work: usize,
  classes: usize,
  iStart: usize,
  iEnd: usize,
  out: usize,
  float32: bool,
): void {
  const t = loadF64(work + TEMPERATURE);
  const width: usize = float32 ? 4 : 8;
  for (let i = iStart; i < iEnd; i++) {
    const p = pAt(work, i);
    const off = (0.0 - p) / t;
    const diagonal = i === winnerOf(work) ? loadF64(work + WINNER) : 1.0 - p;
    for (let j: usize = 0; j < classes; j++)
      storeValue(out, j, j === i ? diagonal / t : off, float32);
    out += classes * width;
  }
}

/** Returns √p_k. If p_k is subnormal or 0, it is computed from e_k and S, which have more digits. */
function rootAt(work: usize, classes: usize, k: usize): f64 {
  const p = pAt(work, k);
  if (p > 1e-290) return Math.sqrt(p);
  const e = loadF64(vectorAt(work, classes, 1) + 8 * k);
  const low = loadF64(vectorAt(work, classes, 2) + 8 * k);
  const part = e * (1.0 - loadF64(work + TOTAL_LOW)) + low;
  // e is scaled by 2^512 and S here is not; the factor is 2^-256 = √(2^-512).
  return (
    Math.sqrt(part / (loadF64(work + TOTAL) * UNSCALE)) * 8.636168555094445e-78
  );
}

/** Stores V = (diag(√p) - p √pᵀ)/√T, for which V Vᵀ = J. */
export function storeFactor(
  work: usize,
  classes: usize,
  iStart: usize,
  iEnd: usize,
  out: usize,
  float32: bool,
): void {
  const t = Math.sqrt(loadF64(work + TEMPERATURE));
  const width: usize = float32 ? 4 : 8;
  const roots = vectorAt(work, classes, 5);
  if (iStart === 0)
    for (let k: usize = 0; k < classes; k++)
      storeF64(roots + 8 * k, rootAt(work, classes, k));
  for (let i = iStart; i < iEnd; i++) {
    const p = pAt(work, i);
    if (t === 1.0)
      for (let k: usize = 0; k < classes; k++)
        storeValue(out, k, 0.0 - p * loadF64(roots + 8 * k), float32);
    else
      for (let k: usize = 0; k < classes; k++)
        storeValue(out, k, (0.0 - p * loadF64(roots + 8 * k)) / t, float32);
    const diagonal = i === winnerOf(work) ? loadF64(work + WINNER) : 1.0 - p;
    storeValue(out, i, (loadF64(roots + 8 * i) * diagonal) / t, float32);
    out += classes * width;
  }
}

/** Returns Σ_ij of a covariance that is stored as its diagonal (form 0), its upper triangle (1) or a full matrix (2). */
function sigmaAt(
  sigma: usize,
  classes: usize,
  form: i32,
  i: usize,
  j: usize,
): f64 {
  if (form === 0) return i === j ? loadF64(sigma + 8 * i) : 0.0;
  if (form === 2) return loadF64(sigma + 8 * (i * classes + j));
  const low = i < j ? i : j;
  const high = i < j ? j : i;
  // The rows before row `low` have classes, classes - 1, … entries.
  return loadF64(sigma + 8 * (low * classes - (low * (low + 1)) / 2 + high));
}

/** Returns Σ'_ij = Σ_ij - Σ_aj - Σ_ia + Σ_aa. Row and column a are 0, and J Σ' J = J Σ J, since J·1 = 0. */
function centredAt(
  sigma: usize,
  classes: usize,
  form: i32,
  a: usize,
  i: usize,
  j: usize,
): f64 {
  if (i === a || j === a) return 0.0;
  const x = sigmaAt(sigma, classes, form, i, j);
  const y = sigmaAt(sigma, classes, form, a, a);
  const sum = x + y;
  const u = sigmaAt(sigma, classes, form, a, j);
  const v = sigmaAt(sigma, classes, form, i, a);
  const cross = u + v;
  const all = sum - cross;
  return (
    all +
    (errorOfSum(sum, -cross, all) +
      (errorOfSum(x, y, sum) - errorOfSum(u, v, cross)))
  );
}

/**
 * Stores r_i = Σ_k Σ'_ik p_k in vector 5 and c_j = Σ_k p_k Σ'_kj in vector 6. r_a and c_a are 0; ⟨p, r⟩ is stored in
 * place of r_a.
 */
export function storeMoments(
  work: usize,
  classes: usize,
  sigma: usize,
  form: i32,
): void {
  const a = winnerOf(work);
  const rows = vectorAt(work, classes, 5);
  const columns = vectorAt(work, classes, 6);
  let total = 0.0;
  let totalLost = 0.0;
  for (let i: usize = 0; i < classes; i++) {
    let r = 0.0;
    let rLost = 0.0;
    let c = 0.0;
    let cLost = 0.0;
    if (i !== a)
      for (let k: usize = 0; k < classes; k++) {
        const p = pAt(work, k);
        const x = p * centredAt(sigma, classes, form, a, i, k);
        const rs = r + x;
        rLost += errorOfSum(r, x, rs);
        r = rs;
        const y = p * centredAt(sigma, classes, form, a, k, i);
        const cs = c + y;
        cLost += errorOfSum(c, y, cs);
        c = cs;
      }
    storeF64(rows + 8 * i, r + rLost);
    storeF64(columns + 8 * i, c + cLost);
    const term = pAt(work, i) * (r + rLost);
    const s = total + term;
    totalLost += errorOfSum(total, term, s);
    total = s;
  }
  storeF64(rows + 8 * a, total + totalLost);
}

/** Returns (J Σ J)_ij = p_i p_j (Σ'_ij - r_i - c_j + ⟨p, r⟩)/T². Requires storeMoments. */
function covarianceAt(
  work: usize,
  classes: usize,
  sigma: usize,
  form: i32,
  i: usize,
  j: usize,
): f64 {
  const t = loadF64(work + TEMPERATURE);
  const value = offMeansAt(work, classes, sigma, form, i, j);
  return (pAt(work, i) * pAt(work, j) * value) / t / t;
}

/** Returns Σ'_ij - r_i - c_j + ⟨p, r⟩. Requires storeMoments. */
function offMeansAt(
  work: usize,
  classes: usize,
  sigma: usize,
  form: i32,
  i: usize,
  j: usize,
): f64 {
  const a = winnerOf(work);
  const rows = vectorAt(work, classes, 5);
  const columns = vectorAt(work, classes, 6);
  const r = i === a ? 0.0 : loadF64(rows + 8 * i);
  const c = j === a ? 0.0 : loadF64(columns + 8 * j);
  const total = loadF64(rows + 8 * a);
  const x = centredAt(sigma, classes, form, a, i, j);
  const sum = x + total;
  const both = r + c;
  const all = sum - both;
  return (
    all +
    (errorOfSum(sum, -both, all) +
      (errorOfSum(x, total, sum) - errorOfSum(r, c, both)))
  );
}

export function storeCovariance(
  work: usize,
  classes: usize,
  iStart: usize,
  iEnd: usize,
  sigma: usize,
  form: i32,
  out: usize,
  float32: bool,
): void {
  if (iStart === 0) storeMoments(work, classes, sigma, form);
  const width: usize = float32 ? 4 : 8;
  for (let i = iStart; i < iEnd; i++) {
    for (let j: usize = 0; j < classes; j++)
      storeValue(
        out,
        j,
        covarianceAt(work, classes, sigma, form, i, j),
        float32,
      );
    out += classes * width;
  }
}

/**
 * Stores the diagonal of J Σ J, or with `isRoot` its square roots, p_i √(Σ'_ii - …)/T: the square of a small p would underflow.
 * Rounding errors may make a diagonal of 0 negative.
 */
export function storeVariance(
  work: usize,
  classes: usize,
  sigma: usize,
  form: i32,
  isRoot: bool,
  out: usize,
  float32: bool,
): void {
  storeMoments(work, classes, sigma, form);
  const t = loadF64(work + TEMPERATURE);
  for (let i: usize = 0; i < classes; i++) {
    if (isRoot) {
      const size = Math.max(0.0, offMeansAt(work, classes, sigma, form, i, i));
      storeValue(out, i, (pAt(work, i) * Math.sqrt(size)) / t, float32);
    } else {
      const variance = covarianceAt(work, classes, sigma, form, i, i);
      storeValue(out, i, variance, float32);
    }
  }
}
