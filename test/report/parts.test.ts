import { expect, test } from "vitest";
import {
  CalibrationSums,
  ConfidenceSums,
  Histogram,
} from "../../src/report/numbers/confidence.js";
import {
  axisCount,
  cellNumber,
  digits,
  percent,
  powerOfTen,
} from "../../src/report/page/html.js";
import { shadeScale } from "../../src/report/page/plot.js";

test("the first and the last bin of a histogram count the values beyond", () => {
  const histogram = new Histogram(0, 1, 4);
  for (const value of [0, 0.24, 0.25, 0.5, 0.99, 1, 7, -3, Number.NaN])
    histogram.add(value);
  expect([...histogram.counts]).toEqual([3, 1, 1, 3]);
  expect(histogram.rows).toBe(8);
});

test("the smallest and the largest uncertainty are those of rows, to the last bit", () => {
  const sums = new ConfidenceSums(3);
  const values = [0.3, 6.16e-320, 0, 0.7074029304910715, 3e-17];
  for (const uncertainty of values)
    sums.add({ confidence: 1 - uncertainty, uncertainty } as never);
  const { uncertainty } = sums.numbers({} as never);
  const [min, max] = [6.16e-320, 0.7074029304910715];
  expect(uncertainty).toMatchObject({ rows: 5, zero: 1, min, max });
});

test("a bin of calibration includes its upper end, and scores keep small uncertainties", () => {
  const sums = new CalibrationSums();
  const example = { p: [1, 1e-20], predicted: 0, label: 0, uncertainty: 1e-20 };
  for (const confidence of [0, 0.2, 0.8, 1])
    sums.add({ ...example, confidence } as never);
  const full = [...sums.binRows].flatMap((rows, k) => (rows > 0 ? [k] : []));
  expect(full).toEqual([0, 2, 11, 14]);
  expect([sums.nllSum, sums.brierSum]).toEqual([4e-20, 8e-40]);
});

test("numbers are short texts", () => {
  const each = <T>(values: T[], format: (value: T) => unknown) =>
    values.map((value) => format(value)).join("; ");
  expect(each([0, 1, 0.5, 1234.5, -0.012345, 999_999], digits)).toBe(
    "0; 1; 0.5; 1,230; −0.0123; 1,000,000",
  );
  expect(each([1e-3, 9.99e-4, 3.14159e-8, -1e-9, 1e6, 2.5e12], digits)).toBe(
    "0.001; 9.99 × 10⁻⁴; 3.14 × 10⁻⁸; −1 × 10⁻⁹; 10⁶; 2.5 × 10¹²",
  );
  expect(each([0, -16, 3], powerOfTen)).toBe("1; 10⁻¹⁶; 10³");
  expect(each([0.1234, 1, 1e-7], percent)).toBe("12.3 %; 100 %; 10⁻⁵ %");
  expect(each([0, 0.0843, -3.21e-8, -2e-20], cellNumber)).toBe(
    "0; 0.084; −3.2e−8; −2e−20",
  );
  expect(each([1500, 999_999, 1_200_000], axisCount)).toBe(
    "1,500; 999,999; 1.2M",
  );
});

test("shades are nine steps of equal ratio within four powers of ten", () => {
  const wide = shadeScale([1e-30, 1e-2, 1]);
  expect(wide.edges.length).toBe(8);
  const shades = [0, 1e-30, 2e-4, 0.01, 0.9, 1].map(wide.shade);
  expect(shades).toEqual([0, 0, 0, 4, 8, 8]);
  expect([1, 1.01].map(shadeScale([1, 1.01]).shade)).toEqual([8, 8]);
  expect(shadeScale([0, 0]).edges).toEqual([]);
  expect(shadeScale([]).shade(1)).toBe(0);
});
