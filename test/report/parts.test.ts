import type { Decimal } from "decimal.js";
import { expect, test } from "vitest";
import { pOfBlock, pOfLogBlock } from "../../src/reader/p-of-block.js";
import {
  CalibrationSums,
  Histogram,
} from "../../src/report/numbers/confidence.js";
import { Largest } from "../../src/report/numbers/rows.js";
import {
  axisCount,
  cellNumber,
  digits,
  distinctDigits,
  html,
  percent,
  powerOfTen,
} from "../../src/report/page/html.js";
import { shadeScale } from "../../src/report/page/plot.js";
import { Exact } from "../support/exact.js";
import { normal, random } from "../support/random.js";
import { exactRow } from "../support/truth.js";

test("the first and the last bin of a histogram count the values beyond", () => {
  const histogram = new Histogram(0, 1, 4);
  for (const value of [0, 0.24, 0.25, 0.5, 0.99, 1, 7, -3, Number.NaN])
    histogram.add(value);
  expect([...histogram.counts]).toEqual([3, 1, 1, 3]);
  expect(histogram).toMatchObject({ rows: 8, min: -3, max: 7 });
});

test("Largest keeps the first of equal keys, and makes only items that it keeps", () => {
  const largest = new Largest<string>(3);
  let made = 0;
  for (const [n, key] of [5, 7, 7, 1, 9, 7, 8].entries())
    largest.offer(key, () => {
      made++;
      return `${key} at ${n}`;
    });
  expect(largest.items).toEqual(["9 at 4", "8 at 6", "7 at 1"]);
  expect(made).toBe(5);
});

test.each([
  [1, 3, 1],
  [5, 10, 0.5],
  [40, 6, 3],
  [100, 5, 1],
  [0, 4, 1],
])(
  "blocks determine p: logits of N(0, %d), %i classes, T = %d",
  (scale, classes, T) => {
    const draw = normal(random(3));
    for (let n = 0; n < 20; n++) {
      const logits = Array.from({ length: classes }, () => scale * draw());
      const { p, jacobian } = exactRow(logits.map((o) => o / T));
      const others = p.toSorted((a, b) => b.cmp(a)).slice(1);
      const truth = [
        ...p,
        others.reduce((sum, x) => sum.plus(x), new Exact(0)),
      ];
      const entry = (i: number, j: number) => jacobian(i, j).div(T).toNumber();
      const logEntry = (i: number, j: number) =>
        new Exact(Number(i === j))
          .minus(p[i] as Decimal)
          .div(T)
          .toNumber();
      for (const of of [
        (found: Float64Array) => pOfBlock(entry, found, T, "float64"),
        (found: Float64Array) => pOfLogBlock(logEntry, found, T),
      ]) {
        const found = new Float64Array(classes);
        const uncertainty = of(found);
        const errors = [...found, uncertainty].map((x, k) =>
          Math.abs(x / (truth[k] as Decimal).toNumber() - 1),
        );
        expect(Math.max(...errors)).toBeLessThan(1e-13);
      }
    }
  },
);

test.each([
  [[0.8, 0.2], Number.NaN],
  [[0.8, 0.2, 0], Number.NaN],
  [[1, 0, 0, 0], Number.NaN],
  [[0.5, 0.5, 1e-320], Number.NaN],
  [[1], 0],
  [[0.5, 0.5 - 1e-160, 1e-160], 0.5],
])("the block of p = %o gives the uncertainty %d", (p, wanted) => {
  const entry = (i: number, j: number) =>
    (p[i] as number) * (i === j ? 1 - (p[j] as number) : -(p[j] as number));
  const found = pOfBlock(entry, new Float64Array(p.length), 1, "float64");
  expect(found).toEqual(wanted > 0 ? expect.closeTo(wanted, 12) : wanted);
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
  expect(distinctDigits([1, 2, 3])).toBe(2);
  expect(distinctDigits([0.00501, 0.00502, 0.00512])).toBe(3);
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

test("markup escapes text in elements and attributes", () => {
  const evil = `</td><script>"'&`;
  const { markup } =
    html`<td title="${evil}">${[evil, html`<b>${1}</b>`, null]}</td>`;
  const text = "&lt;/td&gt;&lt;script&gt;&quot;&#39;&amp;";
  expect(markup).toBe(`<td title="${text}">${text}<b>1</b></td>`);
  expect(html`${"a\u202eb\n"}`.markup).toBe("a\\u202eb\\n");
});
