import type { Decimal } from "decimal.js";
import { expect, test } from "vitest";
import {
  add,
  divide,
  multiply,
  squareRoot,
  subtract,
} from "../../src/reference/arithmetic.js";
import { exponential, log1p } from "../../src/reference/elementary.js";
import { Scaled, store, toDouble } from "../../src/reference/scaled.js";
import { Exact, exact } from "../support/exact.js";
import { normal, random } from "../support/random.js";

const [x, y, z] = [new Scaled(), new Scaled(), new Scaled()];
const gauss = normal(random(31));
const wide = () => gauss() * 2 ** (100 * gauss());
/** Two numbers whose difference has few of their bits. */
const close = (sign: number) => {
  const u = gauss();
  return [u, sign * u * (1 + 2 ** (-60 * Math.abs(gauss())))];
};

function decimalOf({ high, low, exponent }: Scaled): Decimal {
  return exact(high).plus(exact(low)).times(new Exact(2).pow(exponent));
}

/** Stores a number of 106 bits near u. */
function storeLong(out: Scaled, u: number, tail: number): void {
  store(out, u);
  store(z, u * tail);
  add(out, out, z);
}

function exactLog1p(u: Decimal): Decimal {
  return u.abs().lt(1e-30)
    ? u.minus(u.pow(2).div(2)).plus(u.pow(3).div(3))
    : Exact.ln(u.plus(1));
}

/** Least number of right bits of an operation on drawn numbers. */
type Row = [
  name: string,
  bits: number,
  draw: () => number[],
  apply: (out: Scaled, x: Scaled, y: Scaled) => void,
  truth: (u: Decimal, v: Decimal) => Decimal,
];

const two = () => [wide(), wide()];

test.each<Row>([
  ["sums that cancel", 104, () => close(-1), add, (u, v) => u.plus(v)],
  ["sums", 104, two, add, (u, v) => u.plus(v)],
  ["differences", 104, () => close(1), subtract, (u, v) => u.minus(v)],
  ["products", 103, two, multiply, (u, v) => u.times(v)],
  ["quotients", 102, two, divide, (u, v) => u.div(v)],
  ["roots", 103, () => [Math.abs(wide())], squareRoot, (u) => u.sqrt()],
  ...[
    [2, 100],
    [300, 96],
    [6000, 92],
    [1e-5, 100],
    [1e-30, 100],
  ].map(([size = 0, bits = 0]): Row => {
    const draw = () => [size * gauss()];
    return [`exp of about ${size}`, bits, draw, exponential, (u) => u.exp()];
  }),
  ...[3, 0.2, -0.2, 1e-3, 1e-12, 1e-200, 1e12].map((size): Row => {
    const draw = () => [size * Math.abs(gauss())];
    return [`log1p of about ${size}`, 97, draw, log1p, exactLog1p];
  }),
])("%s, to %d bits", (_, bits, draw, apply, truth) => {
  let worst = new Exact(0);
  for (let n = 0; n < 300; n++) {
    const [u = 0, v = 0] = draw();
    storeLong(x, u, 1e-17);
    storeLong(y, v, -3e-17);
    const expected = truth(decimalOf(x), decimalOf(y));
    apply(z, x, y);
    const error = decimalOf(z).minus(expected).div(expected).abs();
    worst = Exact.max(worst, error);
  }
  expect(-Exact.log2(worst).toNumber()).toBeGreaterThan(bits);
});

test("exp of tiny and of large numbers", () => {
  const exp = (u: number) => {
    store(x, u);
    exponential(y, x);
    return toDouble(y);
  };
  expect([5e-324, -1e308].map(exp)).toEqual([1, 0]);
});

test.each([5e-324, -5e-324, 2 ** -1022, Number.MAX_VALUE, -1, 0])(
  "%d goes in and comes out",
  (value) => {
    store(x, value);
    expect(toDouble(x)).toBe(value);
    const size = Math.abs(x.high);
    expect(size === 0 || (size >= 1 && size < 2)).toBe(true);
  },
);
