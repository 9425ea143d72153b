import { expect, test } from "vitest";
import {
  add,
  divide,
  multiply,
  squareRoot,
  subtract,
} from "../../src/reference/arithmetic.js";
import { exponential } from "../../src/reference/exponential.js";
import { log1p, logarithm } from "../../src/reference/logarithm.js";
import {
  numbers,
  PLACES,
  storeDouble,
  toDouble,
} from "../../src/reference/scaled.js";
import { Exact, exact } from "../support/exact.js";
import { normal, random } from "../support/random.js";

const x = numbers(3);
const [a, b, c] = [0, PLACES, 2 * PLACES];

function valueAt(at: number) {
  return exact(x[at] as number)
    .plus(exact(x[at + 1] as number))
    .times(new Exact(2).pow(x[at + 2] as number));
}

/** -log2 of the largest relative error of `apply` over pairs of 106-bit numbers. */
function bits(
  apply: () => void,
  truth: (
    u: ReturnType<typeof valueAt>,
    v: ReturnType<typeof valueAt>,
  ) => ReturnType<typeof valueAt>,
  draw: (n: number) => [number, number],
): number {
  let worst = new Exact(0);
  for (let n = 0; n < 300; n++) {
    const [u, v] = draw(n);
    storeDouble(x, a, u);
    storeDouble(x, c, u * 1e-17);
    add(x, a, x, a, x, c);
    storeDouble(x, b, v);
    storeDouble(x, c, v * -3e-17);
    add(x, b, x, b, x, c);
    const expected = truth(valueAt(a), valueAt(b));
    apply();
    const error = valueAt(c).minus(expected).div(expected).abs();
    if (error.gt(worst)) worst = error;
  }
  return -Exact.log2(worst).toNumber();
}

const gauss = normal(random(31));
const wide = (): [number, number] => [
  gauss() * 2 ** (100 * gauss()),
  gauss() * 2 ** (100 * gauss()),
];
const close = (): [number, number] => {
  const u = gauss();
  return [u, u * (1 + 2 ** (-60 * Math.abs(gauss())))];
};

test.each([
  ["sums that cancel", add, "plus", close, -1, 104],
  ["sums", add, "plus", wide, 1, 104],
  ["differences", subtract, "minus", close, 1, 104],
  ["products", multiply, "times", wide, 1, 103],
  ["quotients", divide, "div", wide, 1, 102],
] as const)("%s", (_, apply, name, draw, sign, least) => {
  const found = bits(
    () => apply(x, c, x, a, x, b),
    (u, v) => u[name](v),
    () => {
      const [u, v] = draw();
      return [u, sign * v];
    },
  );
  expect(found).toBeGreaterThan(least);
});

test("square roots, 103 bits", () => {
  const found = bits(
    () => squareRoot(x, c, x, a),
    (u) => u.sqrt(),
    () => [Math.abs(wide()[0]), 0],
  );
  expect(found).toBeGreaterThan(103);
});

test("exp to 100 bits for |x| < 8, 96 to 1000, 92 to 20000; subnormal arguments", () => {
  const at = (size: number) =>
    bits(
      () => exponential(x, c, x, a),
      (u) => u.exp(),
      () => [size * gauss(), 0],
    );
  for (const [size, least] of [
    [2, 100],
    [300, 96],
    [6000, 92],
    [1e-5, 100],
    [1e-30, 100],
  ] as const)
    expect(at(size), `${size}`).toBeGreaterThan(least);
  storeDouble(x, a, 5e-324);
  exponential(x, b, x, a);
  expect(toDouble(x, b)).toBe(1);
  storeDouble(x, a, -1e308);
  exponential(x, b, x, a);
  expect(toDouble(x, b)).toBe(0);
  storeDouble(x, a, 2 ** 20);
  expect(() => exponential(x, b, x, a)).toThrow(
    "expected an argument of exp under 2^20, found one of 2^20",
  );
});

test("log and log1p to 97 bits, log(1 + x) of any size of x", () => {
  const logs = bits(
    () => logarithm(x, c, x, a),
    (u) => Exact.ln(u),
    () => [Math.exp(3 * gauss()), 0],
  );
  expect(logs).toBeGreaterThan(97);
  for (const size of [3, 0.2, 1e-3, 1e-12, 1e-200, 1e12]) {
    const found = bits(
      () => log1p(x, c, x, a),
      (u) =>
        u.lt(1e-30)
          ? u.minus(u.pow(2).div(2)).plus(u.pow(3).div(3))
          : Exact.ln(u.plus(1)),
      () => [size * Math.abs(gauss()), 0],
    );
    expect(found, `${size}`).toBeGreaterThan(97);
  }
});

test("any double goes in and comes out", () => {
  for (const value of [5e-324, -5e-324, 2 ** -1022, Number.MAX_VALUE, -1, 0]) {
    storeDouble(x, a, value);
    expect(toDouble(x, a)).toBe(value);
  }
});
