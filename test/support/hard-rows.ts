import { normal, random } from "./random.js";

/** Rows that other implementations get wrong, by name; logits are finite or -inf (a masked class). */
export function hardRows(): { name: string; rows: number[][] }[] {
  const uniform = random(20);
  const gauss = normal(uniform);
  const draw = (rows: number, classes: number, value: () => number) =>
    Array.from({ length: rows }, () => Array.from({ length: classes }, value));
  return [
    { name: "N(0,3)", rows: draw(60, 10, () => 3 * gauss()) },
    { name: "N(0,1), 7 classes", rows: draw(60, 7, gauss) },
    { name: "near-uniform", rows: draw(30, 33, () => 1e-3 * gauss()) },
    {
      name: "U(-300,300)",
      rows: draw(60, 10, () => 600 * uniform() - 300),
    },
    {
      name: "offset by 1e8",
      rows: draw(30, 5, () => 1e8 + 20 * uniform()),
    },
    {
      name: "U(-1e5,1e5)",
      rows: draw(20, 4, () => 2e5 * uniform() - 1e5),
    },
    {
      name: "saturated: a winner far ahead",
      rows: draw(40, 6, gauss).map((row, r) => {
        row[r % 6] = 20 + 20 * r;
        return row;
      }),
    },
    {
      name: "subnormal results",
      rows: Array.from({ length: 60 }, (_, r) => [
        0,
        -700 - r - uniform(),
        -735 - uniform(),
        -744.4 + uniform(),
        -745.1,
        -746 - uniform(),
      ]),
    },
    {
      name: "a tail of many subnormals",
      rows: [[0, ...Array.from({ length: 300 }, () => -745 - uniform())]],
    },
    {
      name: "ties",
      rows: [
        [1, 1],
        [0.1, 0.1, 0.1],
        [5, -2, 5, 5],
        [-0, 0, 0],
        Array.from({ length: 50 }, () => 0.3),
      ],
    },
    {
      name: "one class, and the largest magnitudes",
      rows: [
        [3.25],
        [-1e300],
        [Number.MAX_VALUE, -Number.MAX_VALUE, 0],
        [5e-324, 0, -5e-324],
      ],
    },
    {
      name: "masked classes",
      rows: draw(20, 8, () => (uniform() < 0.4 ? -Infinity : 5 * gauss())).map(
        (row) => [...row, 0.5],
      ),
    },
    {
      name: "100 classes, N(0,4)",
      rows: draw(4, 100, () => 4 * gauss()),
    },
    {
      // Tails down to 1e-17, because implementations of log1p switch series at some of them.
      name: "margins of 0 to 40",
      rows: draw(40, 5, gauss).map((row, r) => [
        ...row,
        Math.max(...row) + ((13 * r) % 40),
      ]),
    },
  ];
}
