import { expect, test } from "vitest";
import { showText } from "../../src/cli/show-text.js";
import type { ShownRow } from "../../src/show/show.js";

function rowOf(logits: number[], more: Partial<ShownRow> = {}): ShownRow {
  const largest = Math.max(...logits);
  const e = logits.map((o) => Math.exp(o - largest));
  const sum = e.reduce((s, x) => s + x, 0);
  const p = e.map((x) => x / sum);
  return {
    path: "out.arrow",
    positions: [],
    row: 1234,
    input: null,
    rows: 5000,
    classes: p.length,
    layout: "bsr",
    dtype: "float64",
    temperature: 1,
    columns: [{ name: "id", value: "x7" }],
    isNull: false,
    uncertainty: 1 - Math.max(...p),
    shown: p.map((_, k) => k),
    p,
    restOfP: 0,
    result: "jacobian",
    blockFrom: "output",
    block: p.map((x, i) => p.map((y, j) => (i === j ? x * (1 - x) : -x * y))),
    ...more,
  };
}

test("shows p as bars and the block as numbers", () => {
  expect(showText(rowOf([0, Math.log(4)]), { columns: 80, color: false })).toBe(
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
  const row = rowOf([0, 0, 0], { p: [5e25, -1, Number.NaN] });
  const lines = showText(row, { columns: 80, color: false }).split("\n");
  const bars = lines.map((line) => [...line].filter((c) => c === "█").length);
  expect(Math.max(...bars)).toBe(12);
  expect(bars.filter((length) => length > 0)).toHaveLength(1);
});

test("a block of small values shows its power of ten once", () => {
  const text = showText(rowOf([0, 20]), { columns: 80, color: false });
  expect(text).toContain("in units of 1e-8");
  expect(text).toContain(".206");
  expect(text).toContain("  2e-9 ▏");
});

test.each([40, 80, 120])(
  "fits into %d columns, with shades if numbers do not fit",
  (columns) => {
    const row = rowOf([5, 0, 4, 1, 3, 2, 1, 0, 2, 1, 3]);
    for (const color of [false, true]) {
      const text = showText(row, { columns, color });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are
      const lines = text.replace(/\x1b\[[\d;]*m/g, "").split("\n");
      for (const line of lines)
        if (!/^(J\[|shades)/.test(line))
          expect([...line].length).toBeLessThanOrEqual(columns);
      expect(text.includes("\x1b[")).toBe(color);
      expect(text.includes("shades only")).toBe(columns < 87);
    }
  },
);

test("says if there is nothing to show", () => {
  const none = { p: null, block: null, result: null, blockFrom: null } as const;
  const options = { columns: 80, color: false };
  expect(showText(rowOf([1, 2], none), options)).toContain(
    "the output has neither p nor a block",
  );
  expect(showText(rowOf([1, 2], { isNull: true }), options)).toContain(
    "a bad row",
  );
});
