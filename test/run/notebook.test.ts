import { expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { rows } from "../support/input-runs.js";
import { outputOf, runsIn, upTo } from "../support/runs.js";

// Numbers that the original notebook prints, compared to all printed digits.

const { write, output } = runsIn();
const ONE = { rows: 1, classes: 5 };
const { softmax, softmaxJacobian, softmaxJacobianColumn } = built;
const { relativeErrorPercent } = built;

const P = [
  2.67922497e-1, 6.64113473e-4, 7.28288856e-1, 2.97635009e-3, 1.48183746e-4,
];
const COLUMN = [-0.00406404, -0.00406404, -0.00055001, 0.14326054, -0.13458246];
const BLOCK = [
  1.7783929e-2, -3.64423465e-6, -3.28043549e-4, -6.58893081e-3, -1.08633104e-2,
  -3.64423465e-6, 2.01165356e-4, -3.64423465e-6, -7.31964096e-5, -1.20680477e-4,
  -3.28043549e-4, -3.64423465e-6, 1.7783929e-2, -6.58893081e-3, -1.08633104e-2,
  -6.58893081e-3, -7.31964096e-5, -6.58893081e-3, 2.3144648e-1, -2.18195422e-1,
  -1.08633104e-2, -1.20680477e-4, -1.08633104e-2, -2.18195422e-1, 2.40042723e-1,
];
// The notebook does not print the logits, which are multiples of 1/2. They follow from p_k (1 - p_k), the diagonal entry of
// class k, and from p_j = -J[k,j] / p_k.
const logitsOf = (column: number[], k: number) => {
  const p = (1 - Math.sqrt(1 - 4 * (column[k] as number))) / 2;
  return Float64Array.from(column, (x, j) =>
    j === k ? 0 : Math.round(2 * Math.log(-x / p / p)) / 2,
  );
};

test.each([
  ["softmax", P, 5e-7, softmax(Float64Array.of(3, -3, 4, -1.5, -4.5), ONE)],
  [
    "the derivative of one class (softmax_der_1)",
    COLUMN,
    1e-3,
    softmaxJacobianColumn(logitsOf(COLUMN, 3), 3, ONE),
  ],
  [
    "the block (softmax_der_2)",
    BLOCK,
    5e-6,
    softmaxJacobian(logitsOf(BLOCK.slice(5, 10), 1), ONE),
  ],
])("%s", (_, printed, most, found) => {
  const text = (x: number) =>
    printed === COLUMN ? x.toFixed(8) : x.toPrecision(9);
  expect(Array.from(found, text)).toEqual(printed.map(text));
  // The notebook prints eight or nine digits.
  expect(relativeErrorPercent(printed, found)).toBeLessThan(most);
});

test("M rows at once (softmax_der_3, softmax_der_4): blocks, and zeros between them in the dense tensor", async () => {
  const notebook = rows("3 -3 4 -1.5 -4.5; 0 0.5 -2 1 5; -5 5 0 0 0");
  const logits = Float64Array.from(notebook.flat());
  const all = softmaxJacobian(logits, { rows: 3, classes: 5 });
  const each = notebook.map((row) =>
    softmaxJacobian(Float64Array.from(row), ONE),
  );
  expect([...all]).toEqual(each.flatMap((block) => [...block]));

  // In (M, Q, M, Q), the dense layout has a slab of (Q, M, Q) per row.
  const tensor = new Float64Array(225);
  for (const n of upTo(75)) {
    const [r, i, j] = [Math.floor(n / 25), Math.floor(n / 5) % 5, n % 5];
    tensor[((r * 5 + i) * 3 + r) * 5 + j] = all[n] as number;
  }
  const logit = (r: number, k: number) => notebook[r]?.[k] as number;
  const input = write({ rows: 3, classes: 5, logit });
  const args = ["run", input, "-o", output, "--layout", "dense"];
  expect(softjac(...args)).toMatchObject({ status: 0 });
  expect(outputOf(output).column("jacobian").flat()).toEqual([...tensor]);
  const reader = await built.openJacobian(output);
  expect(await reader.toDense()).toEqual(tensor);
  await reader.close();

  // error_g of the notebook over the whole tensor; 1e-32 avoids division by 0.
  const guard = { guard: 1e-32 };
  expect(relativeErrorPercent(tensor, tensor, guard)).toBe(0);
  const other = tensor.map((x) => x * (1 + 2 ** -52));
  expect(relativeErrorPercent(tensor, other, guard)).toBeGreaterThan(0);
});
