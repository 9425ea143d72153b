import { normal, random } from "./random.js";

/** Rows that other implementations get wrong, by name; logits are finite or -inf (a masked class). */
export function hardRows(): { name: string; rows: number[][] }[] {
  const uniform = random(20);
  const gauss = normal(uniform);
  const draw = (rows: number, classes: number, value: () => number) =>
    Array.from({ length: rows }, () => Array.from({ length: classes }, value));
  const families = {
    "N(0,3)": draw(60, 10, () => 3 * gauss()),
    "N(0,1), 7 classes": draw(60, 7, gauss),
    "near-uniform": draw(30, 33, () => 1e-3 * gauss()),
    "U(-300,300)": draw(60, 10, () => 600 * uniform() - 300),
    "offset by 1e8": draw(30, 5, () => 1e8 + 20 * uniform()),
    "U(-1e5,1e5)": draw(20, 4, () => 2e5 * uniform() - 1e5),
    "saturated: a winner far ahead": draw(40, 6, gauss).map((row, r) =>
      row.with(r % 6, 20 + 20 * r),
    ),
    "subnormal results": Array.from({ length: 60 }, (_, r) => [
      ...[0, -700 - r - uniform(), -735 - uniform(), -744.4 + uniform()],
      ...[-745.1, -746 - uniform()],
    ]),
    "a tail of many subnormals": [
      [0, ...Array.from({ length: 300 }, () => -745 - uniform())],
    ],
    ties: [
      [1, 1],
      [0.1, 0.1, 0.1],
      [5, -2, 5, 5],
      [-0, 0, 0],
      Array(50).fill(0.3),
    ],
    "one class, and the largest magnitudes": [
      [3.25],
      [-1e300],
      [Number.MAX_VALUE, -Number.MAX_VALUE, 0],
      [5e-324, 0, -5e-324],
    ],
    "masked classes": draw(20, 8, () =>
      uniform() < 0.4 ? -Infinity : 5 * gauss(),
    ).map((row) => [...row, 0.5]),
    "100 classes, N(0,4)": draw(4, 100, () => 4 * gauss()),
    // Tails down to 1e-17, because implementations of log1p switch series at some of them.
    "margins of 0 to 40": draw(40, 5, gauss).map((row, r) => [
      ...row,
      Math.max(...row) + ((13 * r) % 40),
    ]),
  };
  return Object.entries(families).map(([name, rows]) => ({ name, rows }));
}
