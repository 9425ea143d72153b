// Computes the code cells of the notebook that derives the softmax Jacobian. Each cell prints its values, and the mean
// relative error in percent between the definition in plain JavaScript and softjac. docs/derivation.md has the formulas.
//
//   npm ci && npm run build && node examples/notebook.mjs
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import {
  generate,
  openJacobian,
  relativeErrorPercent,
  run,
  softmax,
  softmaxJacobian,
  softmaxJacobianColumn,
} from "../dist/index.js";

const M = 100;
const Q = 5;
/** The class that cell 3 differentiates. */
const NUM_Q = 3;
/** Keeps the tensor's zeros in the mean relative error: 0/0 becomes 1e-32/1e-32. */
const GUARD = 1e-32;
const ONE_ROW = { rows: 1, classes: Q };
const ALL_ROWS = { rows: M, classes: Q };

const directory = mkdtempSync(join(tmpdir(), "softjac-notebook-"));
try {
  const input = join(directory, "logits.arrow");
  await generate({ output: input, ...ALL_ROWS, kind: "notebook", seed: 23 });
  const X = readLogits(input);
  const rows = Array.from({ length: M }, (_, r) => X.slice(r * Q, r * Q + Q));

  title("1. Softmax of one row (softmax_1)");
  const p = softmax(rows[0], ONE_ROW);
  printLogits(rows[0]);
  printMatrix(`softmax, shape (1, ${Q})`, p);
  printError(softmaxByDefinition(rows[0]), p);

  title("2. Softmax of M rows (softmax)");
  const P = softmax(X, ALL_ROWS);
  printMatrix(`softmax, shape (${M}, ${Q}), first 3 rows`, P.slice(0, 3 * Q));
  printError(rows.flatMap(softmaxByDefinition), P);

  title(`3. Derivative of class ${NUM_Q} (softmax_der_1)`);
  const column = softmaxJacobianColumn(rows[1], NUM_Q, ONE_ROW);
  printLogits(rows[1]);
  printMatrix(`derivative, shape (${Q}, 1)`, column, 1);
  printError(columnByDefinition(rows[1], NUM_Q), column);

  title("4. Jacobian block of one row (softmax_der_2)");
  const block = softmaxJacobian(rows[2], ONE_ROW);
  printLogits(rows[2]);
  printMatrix(`block, shape (${Q}, ${Q})`, block);
  printError(blockByDefinition(rows[2]), block);

  title("5. Derivative of M rows, from a file (softmax_der_3)");
  const expected = tensorByDefinition(rows);
  const tensor = await tensorFromFile(input, join(directory, "dense.arrow"));
  printTensor(tensor, 0);
  printError(expected, tensor, GUARD);

  title("6. Derivative of M rows, from its diagonal blocks (softmax_der_4)");
  const blocks = softmaxJacobian(X, ALL_ROWS);
  const placed = new Float64Array(M * Q * M * Q);
  for (let r = 0; r < M; r++)
    placeBlock(placed, r, blocks.subarray(r * Q * Q, (r + 1) * Q * Q));
  printTensor(placed, M - 1);
  printError(expected, placed, GUARD);
} finally {
  rmSync(directory, { recursive: true });
}

/** The column `logits` of an Arrow file, `[M, Q]` row-major. */
function readLogits(path) {
  const column = tableFromIPC(readFileSync(path)).getChild("logits");
  return Float64Array.from([...column].flatMap((row) => [...row]));
}

/** The dense tensor that `softjac run --layout dense` writes, `[M, Q, M, Q]`. */
async function tensorFromFile(input, output) {
  await run({ input, output, emit: ["jacobian"], layout: "dense" });
  const reader = await openJacobian(output);
  const tensor = await reader.toDense();
  await reader.close();
  return tensor;
}

/** exp(o_j) / sum over all classes k of exp(o_k). */
function softmaxByDefinition(o) {
  const powers = Array.from(o, Math.exp);
  const sum = powers.reduce((s, x) => s + x, 0);
  return powers.map((x) => x / sum);
}

/** p_j (1 - p_j) for i = j, else -p_j p_i. */
function columnByDefinition(o, j) {
  const p = softmaxByDefinition(o);
  return p.map((x, i) => p[j] * (i === j ? 1 - x : -x));
}

/** diag(p) - p pᵀ, row-major. */
function blockByDefinition(o) {
  const p = softmaxByDefinition(o);
  return p.flatMap((x, i) => p.map((y, j) => (i === j ? x : 0) - x * y));
}

/** The block of row r at [r, :, r, :]; zero elsewhere. */
function tensorByDefinition(rows) {
  const tensor = new Float64Array(M * Q * M * Q);
  for (const [r, o] of rows.entries())
    placeBlock(tensor, r, blockByDefinition(o));
  return tensor;
}

function placeBlock(tensor, r, block) {
  for (let i = 0; i < Q; i++)
    for (let j = 0; j < Q; j++)
      tensor[((r * Q + i) * M + r) * Q + j] = block[i * Q + j];
}

function title(text) {
  console.log(`\n${text}`);
}

function printLogits(o) {
  console.log(`logits, shape (1, ${Q}):`);
  console.log(Array.from(o, (x) => x.toFixed(1).padStart(16)).join(""));
}

function printMatrix(label, values, columns = Q) {
  console.log(`${label}:`);
  const cells = Array.from(values, (x) => x.toExponential(8).padStart(16));
  for (let k = 0; k < cells.length; k += columns)
    console.log(cells.slice(k, k + columns).join(""));
}

/** The tensor's shape, the number of its nonzeros, and the block [r, :, r, :]. */
function printTensor(tensor, r) {
  const nonzeros = tensor.filter((x) => x !== 0);
  console.log(`derivative, shape (${M}, ${Q}, ${M}, ${Q})`);
  const [count, all] = [nonzeros, tensor].map(({ length }) =>
    length.toLocaleString("en-US"),
  );
  console.log(`nonzeros: ${count} of ${all} entries`);
  const block = Array.from({ length: Q }, (_, i) => {
    const start = ((r * Q + i) * M + r) * Q;
    return [...tensor.subarray(start, start + Q)];
  });
  printMatrix(`block [${r}, :, ${r}, :]`, block.flat());
}

/** The mean of |expected - found| / |expected|, in percent. */
function printError(expected, found, guard = 0) {
  const error = relativeErrorPercent(expected, found, { guard });
  console.log(`mean relative error: ${error.toExponential(2)} %`);
}
