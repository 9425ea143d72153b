// Fits a multinomial logit by Newton's method: each step is one pass over the rows (softjac reduce) and one solve.
// usage: node newton-fit.mjs DATA FEATURES LABEL CLASSES     FEATURES is a list of columns; an intercept is added
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { reduce } from "softjac";

const [data, features, label, classes] = process.argv.slice(2);
const K = features.split(",").length + 1;
const C = Number(classes) - 1; // classes without the reference class 0
const work = mkdtempSync("newton-");
const coefficients = join(work, "B.npy");
const output = join(work, "sums.arrow");
let b = new Float64Array(K * C); // class-major

for (let step = 0, decrement = 1; decrement > 1e-20 && step < 50; step++) {
  writeFileSync(coefficients, npy(transposed(b, C, K), [K, C]));
  const emit = ["loglik", "score", "fisher"];
  const inputs = [data];
  const model = { features, intercept: true, coefficients, label };
  await reduce({ inputs, ...model, emit, output, force: true });
  const row = tableFromIPC(readFileSync(output)).get(0);
  const score = Float64Array.from(row.score).subarray(K);
  const change = solve(Float64Array.from(row.fisher), score);
  decrement = score.reduce((sum, s, k) => sum + s * change[k], 0);
  b = b.map((value, k) => value + change[k]);
  console.log(`step ${step}: log-likelihood ${row.loglik}`);
}
console.log(JSON.stringify(Array.from(b)));

/** Solves H x = score by Gaussian elimination, with H the Fisher information without the reference class. */
function solve(fisher, score) {
  const n = C * K;
  const full = n + K;
  const rows = Array.from({ length: n }, (_, i) => [
    ...fisher.subarray((i + K) * full + K, (i + K + 1) * full),
    score[i],
  ]);
  for (let i = 0; i < n; i++)
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const factor = rows[r][i] / rows[i][i];
      for (let k = i; k <= n; k++) rows[r][k] -= factor * rows[i][k];
    }
  return rows.map((row, i) => row[n] / row[i]);
}

function transposed(values, rows, columns) {
  return values.map(
    (_, n) => values[(n % rows) * columns + Math.floor(n / rows)],
  );
}

/** Returns a matrix of float64 as an .npy file. */
function npy(values, shape) {
  const head = `{'descr': '<f8', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const bytes = Buffer.alloc(128, " ");
  bytes.write("\x93NUMPY\x01\x00v\x00", "latin1");
  bytes.write(head, 10);
  bytes.write("\n", 127);
  return Buffer.concat([bytes, Buffer.from(values.buffer)]);
}
