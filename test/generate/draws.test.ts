import { expect, test } from "vitest";
import {
  normalQuantile,
  philox,
  storeLogits,
  storeUniforms,
} from "../../src/generate/draws.js";
import { EPSILON } from "../support/exact.js";
import { rows } from "../support/input-runs.js";

/** Known answers that the authors publish with Random123: counter, key, result. */
const KNOWN = [
  [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    "408f276d 41c83b0e a20bc7c6 6d5451fd",
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  ],
] as const;

test.each(KNOWN)("Philox4x32-10 of %j, key %j", (counter, [k0, k1], known) => {
  const words = Uint32Array.from(counter);
  philox(words, k0, k1);
  const hex = [...words].map((word) => word.toString(16).padStart(8, "0"));
  expect(hex.join(" ")).toBe(known);
});

test("uniforms differ by seed, row and stream, and are odd multiples of 2^-53 in (0, 1)", () => {
  // Seeds and rows have 53 bits.
  const draws = rows(
    "0 0 0; 1 0 0; 0 1 0; 0 0 1; 4294967296 0 0; 0 4294967296 0",
  ).flatMap(([seed = 0, row = 0, stream = 0]) => {
    const out = new Float64Array(3);
    storeUniforms(out, seed, row, stream);
    return [...out];
  });
  expect(new Set(draws).size).toBe(draws.length);
  expect(
    draws.filter((u) => !(u > 0 && u < 1) || (u * 2 ** 53) % 2 !== 1),
  ).toEqual([]);
});

/** By Python's statistics.NormalDist().inv_cdf. */
const QUANTILES = [
  [1.1102230246251565e-16, -8.209536151601386],
  [1e-12, -7.034483825301132],
  [1e-5, -4.2648907939228256],
  [0.01, -2.3263478740408408],
  [0.075, -1.4395314709384557],
  [0.25, -0.6744897501960817],
  [0.4, -0.2533471031357998],
  [0.6, 0.2533471031357998],
  [0.975, 1.9599639845400536],
  [0.9999, 3.7190164854557084],
] as const;

test.each(QUANTILES)("normal quantile of %d", (u, x) => {
  expect(Math.abs(normalQuantile(u) / x - 1)).toBeLessThan(4 * EPSILON);
});

test("normal quantiles are odd and rise, over the seams of the three pieces too", () => {
  let last = -Infinity;
  for (const u of [2 ** -53, 1e-13, 1.3e-11, 1.5e-11, 0.0749, 0.0751, 0.3]) {
    expect(normalQuantile(u)).toBeGreaterThan(last);
    last = normalQuantile(u);
  }
  expect(normalQuantile(0.75)).toBe(-normalQuantile(0.25));
  expect(normalQuantile(1 - 2 ** -53)).toBe(-normalQuantile(2 ** -53));
});

// Other machines and versions must draw the same values.
const FIRST = rows(`
4 1 2 -0.5;
3.6837303177382026 0.6496961146502929 1.3363180322148116 -0.1836506731151362;
11.776083567680972 0.21656537155009764 0.44543934407160385 -0.06121689103837873`);
test.each([
  ["notebook", FIRST[0]],
  ["normal", FIRST[1]],
  ["peaked", FIRST[2]],
] as const)("%s: the first row of seed 1, to the bit", (kind, expected) => {
  const out = new Float64Array(4);
  storeLogits(out, kind, 3, 1, 0);
  expect([...out]).toEqual(expected);
});
