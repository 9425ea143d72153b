import { expect, test } from "vitest";
import { showText } from "../../src/cli/show-text.js";
import type { ShownRow } from "../../src/show/show.js";

/** Returns the text of a row with these logits. */
function textOf(
  logits: number[],
  {
    columns = 80,
    color = false,
    ...more
  }: Partial<Omit<ShownRow, "columns">> & {
    columns?: number;
    color?: boolean;
  } = {},
): string {
  const e = logits.map((o) => Math.exp(o - Math.max(...logits)));
  const sum = e.reduce((s, x) => s + x, 0);
  const p = e.map((x) => x / sum);
  const row: ShownRow = {
    ...{ path: "out.arrow", positions: [], row: 1234, input: null, rows: 5000 },
    ...{ classes: p.length, layout: "bsr", dtype: "float64", temperature: 1 },
    columns: [{ name: "id", value: "x7" }],
    isNull: false,
    uncertainty: 1 - Math.max(...p),
    shown: p.map((_, k) => k),
    ...{ p, restOfP: 0, result: "jacobian", blockFrom: "output" },
    block: p.map((x, i) => p.map((y, j) => (i === j ? x * (1 - x) : -x * y))),
    ...more,
  };
  return showText(row, { columns, color });
}

test("shows p as bars and the block as numbers", () => {
  expect(textOf([0, Math.log(4)])).toBe(
    `out.arrow: row 1,234, of 5,000
  id           x7
  uncertainty  0.2

class       p                   0      1
    0  0.2000 ██▍            .160  -.160
    1  0.8000 █████████▋    -.160   .160

J[i,j] = ∂softmax(o)_j/∂o_i: i down, j across
`,
  );
});

test("shows values of a damaged file that are not probabilities", () => {
  const text = textOf([0, 0, 0], { p: [5e25, -1, Number.NaN] });
  expect(text.match(/█+/g)).toEqual(["█".repeat(12)]);
});

test("a block of small values shows its power of ten once", () => {
  const text = textOf([0, 20]);
  for (const part of ["in units of 1e-8", ".206", "  2e-9 ▏"])
    expect(text).toContain(part);
});

test.each([40, 80, 120])(
  "fits into %d columns, with shades if numbers do not fit",
  (columns) => {
    for (const color of [false, true]) {
      const text = textOf([5, 0, 4, 1, 3, 2, 1, 0, 2, 1, 3], {
        columns,
        color,
      });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colors
      const lines = text.replace(/\x1b\[[\d;]*m/g, "").split("\n");
      const widths = lines
        .filter((line) => !/^(J\[|shades)/.test(line))
        .map((line) => [...line].length);
      expect(Math.max(...widths)).toBeLessThanOrEqual(columns);
      expect(text.includes("\x1b[")).toBe(color);
      expect(text.includes("shades only")).toBe(columns < 87);
    }
  },
);

test.each<[what: string, more: Partial<Omit<ShownRow, "columns">>]>([
  [
    "the output has neither p nor a block",
    { p: null, block: null, result: null, blockFrom: null },
  ],
  ["no results: a bad row (NaN, +inf or all -inf)", { isNull: true }],
])("%s", (what, more) => {
  expect(textOf([1, 2], more)).toContain(`\n  ${what}\n`);
});
