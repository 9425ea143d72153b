import { expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { outputOf, runsIn, upTo } from "../support/runs.js";

const { write, output } = runsIn();

/** Runs the command on rows of five logits. */
function byCommand(rows: number[][], column: string, ...args: string[]) {
  const logit = (r: number, k: number) => rows[r]?.[k] as number;
  const input = write({ rows: rows.length, classes: 5, logit });
  const { status } = softjac("run", input, "-o", output, "--force", ...args);
  expect(status).toBe(0);
  return outputOf(output).column(column).flat();
}

// Numbers that the original notebook prints, compared to all printed digits.

const ONE = { rows: 1, classes: 5 };

test("softmax of one row", () => {
  const o = [3, -3, 4, -1.5, -4.5];
  const printed = [
    2.67922497e-1, 6.64113473e-4, 7.28288856e-1, 2.97635009e-3, 1.48183746e-4,
  ];
  const p = built.softmax(Float64Array.from(o), ONE);
  expect(Array.from(p, (x) => x.toPrecision(9))).toEqual(
    printed.map((x) => x.toPrecision(9)),
  );
  expect(byCommand([o], "softmax", "--emit", "softmax")).toEqual([...p]);
  // The notebook prints nine digits.
  expect(built.relativeErrorPercent(printed, p)).toBeLessThan(5e-7);
});

test("the derivative of one class (softmax_der_1)", () => {
  const printed = [
    -0.00406404, -0.00406404, -0.00055001, 0.14326054, -0.13458246,
  ];
  // p_3 (1 - p_3) = 0.14326054 and p_i = -printed_i / p_3; the logits are multiples of 1/2.
  const p3 = (1 - Math.sqrt(1 - 4 * 0.14326054)) / 2;
  const p = printed.map((x, i) => (i === 3 ? p3 : -x / p3));
  const o = p.map((x) => Math.round(2 * Math.log(x / p3)) / 2);
  const column = built.softmaxJacobianColumn(Float64Array.from(o), 3, ONE);
  expect(Array.from(column, (x) => x.toFixed(8))).toEqual(
    printed.map((x) => x.toFixed(8)),
  );
  const args = ["--emit", "column", "--class", "3"];
  expect(byCommand([o], "column", ...args)).toEqual([...column]);
});

test("the block (softmax_der_2)", () => {
  const row1 = [
    -3.64423465e-6, 2.01165356e-4, -3.64423465e-6, -7.31964096e-5,
    -1.20680477e-4,
  ];
  const printed = [
    1.7783929e-2,
    -3.64423465e-6,
    -3.28043549e-4,
    -6.58893081e-3,
    -1.08633104e-2,
    ...row1,
    -3.28043549e-4,
    -3.64423465e-6,
    1.7783929e-2,
    -6.58893081e-3,
    -1.08633104e-2,
    -6.58893081e-3,
    -7.31964096e-5,
    -6.58893081e-3,
    2.3144648e-1,
    -2.18195422e-1,
    -1.08633104e-2,
    -1.20680477e-4,
    -1.08633104e-2,
    -2.18195422e-1,
    2.40042723e-1,
  ];
  // p_1 comes from its diagonal entry, the others from row 1: p_j = -J[1,j] / p_1. The logits are multiples of 1/2.
  const p1 = (1 - Math.sqrt(1 - 4 * 2.01165356e-4)) / 2;
  const o = row1.map((x, j) =>
    j === 1 ? 0 : Math.round(2 * Math.log(-x / p1 / p1)) / 2,
  );
  const J = built.softmaxJacobian(Float64Array.from(o), ONE);
  expect(Array.from(J, (x) => x.toPrecision(9))).toEqual(
    printed.map((x) => x.toPrecision(9)),
  );
  expect(byCommand([o], "jacobian", "--emit", "jacobian")).toEqual([...J]);
  expect(built.relativeErrorPercent(printed, J)).toBeLessThan(5e-6);
});

test("M rows at once (softmax_der_3, softmax_der_4): blocks, and zeros between them in the dense tensor", async () => {
  const rows = [
    [3, -3, 4, -1.5, -4.5],
    [0, 0.5, -2, 1, 5],
    [-5, 5, 0, 0, 0],
  ];
  const logits = Float64Array.from(rows.flat());
  const all = built.softmaxJacobian(logits, { rows: 3, classes: 5 });
  const each = rows.map((row) =>
    built.softmaxJacobian(Float64Array.from(row), ONE),
  );
  expect([...all]).toEqual(each.flatMap((block) => [...block]));
  expect(byCommand(rows, "jacobian")).toEqual([...all]);

  // In (M, Q, M, Q), the dense layout has a slab of (Q, M, Q) per row.
  const tensor = new Float64Array(225);
  for (const n of upTo(75)) {
    const [r, i, j] = [Math.floor(n / 25), Math.floor(n / 5) % 5, n % 5];
    tensor[((r * 5 + i) * 3 + r) * 5 + j] = all[n] as number;
  }
  expect(byCommand(rows, "jacobian", "--layout", "dense")).toEqual([...tensor]);
  const reader = await built.openJacobian(output);
  expect(await reader.toDense()).toEqual(tensor);
  await reader.close();

  // error_g of the notebook over the whole tensor; 1e-32 avoids division by 0.
  const guard = { guard: 1e-32 };
  expect(built.relativeErrorPercent(tensor, tensor, guard)).toBe(0);
  const other = tensor.map((x) => x * (1 + 2 ** -52));
  expect(built.relativeErrorPercent(tensor, other, guard)).toBeGreaterThan(0);
});
