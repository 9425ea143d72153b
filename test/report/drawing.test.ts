import { expect, test } from "vitest";
import {
  axisCount,
  cellNumber,
  digits,
  distinctDigits,
  percent,
  powerOfTen,
} from "../../src/report/page/digits.js";
import { embeddedJson, html } from "../../src/report/page/html.js";
import { shadeScale } from "../../src/report/page/plot.js";

test("numbers to read", () => {
  expect([0, 1, 0.5, 1234.5, -0.012345, 999_999].map((x) => digits(x))).toEqual(
    ["0", "1", "0.5", "1,230", "−0.0123", "1,000,000"],
  );
  expect(
    [1e-3, 9.99e-4, 3.14159e-8, -1e-9, 1e6, 2.5e12].map((x) => digits(x)),
  ).toEqual([
    "0.001",
    "9.99 × 10⁻⁴",
    "3.14 × 10⁻⁸",
    "−1 × 10⁻⁹",
    "10⁶",
    "2.5 × 10¹²",
  ]);
  expect([0, -16, 3].map(powerOfTen)).toEqual(["1", "10⁻¹⁶", "10³"]);
  expect([0.1234, 1, 1e-7].map((x) => percent(x))).toEqual([
    "12.3 %",
    "100 %",
    "10⁻⁵ %",
  ]);
  expect([0, 0.0843, -3.21e-8, -2e-20].map(cellNumber)).toEqual([
    "0",
    "0.084",
    "−3.2e−8",
    "−2e−20",
  ]);
  expect([1500, 999_999, 1_200_000].map(axisCount)).toEqual([
    "1,500",
    "999,999",
    "1.2M",
  ]);
  expect(
    [
      [1, 2, 3],
      [0.00501, 0.00502, 0.00512],
    ].map(distinctDigits),
  ).toEqual([2, 3]);
});

test("shades: nine steps of equal ratio, over four powers of ten at most and a factor of two at least", () => {
  const wide = shadeScale([1e-30, 1e-2, 1]);
  expect(wide.edges.length).toBe(8);
  expect([0, 1e-30, 2e-4, 0.9, 1].map(wide.shade)).toEqual([0, 0, 0, 8, 8]);
  expect(wide.shade(0.01)).toBe(4);
  const alike = shadeScale([1, 1.01]);
  expect([1, 1.01].map(alike.shade)).toEqual([8, 8]);
  expect(shadeScale([0, 0]).edges).toEqual([]);
  expect(shadeScale([]).shade(1)).toBe(0);
});

test("texts in markup are texts, in elements, attributes and data", () => {
  const evil = `</td><script>"'&`;
  const { markup } =
    html`<td title="${evil}">${[evil, html`<b>${1}</b>`, null]}</td>`;
  const text = "&lt;/td&gt;&lt;script&gt;&quot;&#39;&amp;";
  expect(markup).toBe(`<td title="${text}">${text}<b>1</b></td>`);
  expect(html`${"a\u202eb\n"}`.markup).toBe("a\\u202eb\\n");
  const data = embeddedJson({ a: `${evil}</script><!--\u2028` }).markup;
  expect(data).not.toMatch(/[<>&\u2028]/);
  expect(JSON.parse(data)).toEqual({ a: `${evil}</script><!--\u2028` });
});
