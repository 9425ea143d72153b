import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import type { Decimal } from "decimal.js";
import { expect, test } from "vitest";
import { built } from "../../support/built.js";
import { EPSILON, Exact, errorInEpsilon, exact } from "../../support/exact.js";
import { workDirectory } from "../../support/logits-input.js";
import { exactRow } from "../../support/truth.js";
import {
  blocksOf,
  codeOf,
  readPage,
  root,
  runModule,
  workplace,
} from "./pages.js";
import { importable, python } from "./python.js";

const page = readPage("docs/derivation.md");
const at = workDirectory();
const { directory, shell } = workplace();

// Derivatives are differences of softmax in 80 digits, so that they do not use the formulas that are tested.

/** Returns exp(o_k) / Σ exp(o_k). */
function definition(logits: Decimal[]): Decimal[] {
  const powers = logits.map((o) => o.exp());
  const sum = powers.reduce((s, x) => s.plus(x));
  return powers.map((x) => x.div(sum));
}

/** Returns [i][j] = ∂softmax(o)_j / ∂o_i by central differences, with an absolute error of about 1e-50. */
function differentiated(logits: number[]): Decimal[][] {
  const step = new Exact("1e-25");
  const moved = (i: number, by: Decimal) =>
    definition(logits.map((o, k) => (k === i ? exact(o).plus(by) : exact(o))));
  return logits.map((_, i) => {
    const below = moved(i, step.neg());
    return moved(i, step).map((p, j) =>
      p.minus(below[j] as Decimal).div(step.times(2)),
    );
  });
}

/** Returns exp(o_k) / Σ exp(o_k) in float64, with the logits shifted by `shift`. */
function plainSoftmax(logits: number[], shift = 0): number[] {
  const powers = logits.map((o) => Math.exp(o - shift));
  const sum = powers.reduce((s, x) => s + x, 0);
  return powers.map((x) => x / sum);
}

const digits = (values: Iterable<Decimal | number>) =>
  Array.from(values, (x) => x.toExponential(8));

/** Returns the numbers of the lines below `label`, as printed. */
function matrix(section: string, label: string): string[] {
  const [, rows = ""] =
    section.split(`${label}:\n`)[1]?.match(/^((?: +-?\d.*\n)+)/) ?? [];
  return rows.trim().split(/\s+/);
}

test("the command of docs/derivation.md prints the values and errors of every cell of the notebook", async () => {
  const printed = shell(codeOf(page, "sh").join(), root);
  const cells = printed.trimStart().split("\n\n");
  expect(cells.map((cell) => cell[0])).toEqual(["1", "2", "3", "4", "5", "6"]);
  const [one, all, ofClass, ofRow, fromFile, fromBlocks] = cells.map(
    (cell) => `${cell}\n`,
  ) as [string, string, string, string, string, string];

  // Draws the same logits and reads them with another library than the example does.
  const shape = { rows: 100, classes: 5 };
  const output = at("logits.arrow");
  await built.generate({ output, ...shape, kind: "notebook", seed: 23 });
  const column = flechette(readFileSync(output)).getChild("logits");
  const X = [...column].map((row: Float64Array) => [...row]);
  const row = (r: number) => X[r] as number[];
  for (const [r, cell] of [one, ofClass, ofRow].entries())
    expect(matrix(cell, "logits, shape (1, 5)").map(Number)).toEqual(row(r));

  const p = X.slice(0, 3).map((o) => definition(o.map(exact)));
  expect(matrix(one, "softmax, shape (1, 5)")).toEqual(
    digits(p[0] as Decimal[]),
  );
  expect(matrix(all, "softmax, shape (100, 5), first 3 rows")).toEqual(
    digits(p.flat()),
  );
  expect(matrix(ofClass, "derivative, shape (5, 1)")).toEqual(
    digits(differentiated(row(1)).map((entries) => entries[3] as Decimal)),
  );
  expect(matrix(ofRow, "block, shape (5, 5)")).toEqual(
    digits(differentiated(row(2)).flat()),
  );
  for (const [r, cell] of [
    [0, fromFile],
    [99, fromBlocks],
  ] as const) {
    expect(cell).toContain("derivative, shape (100, 5, 100, 5)\n");
    expect(cell).toContain("nonzeros: 2,500 of 250,000 entries\n");
    expect(matrix(cell, `block [${r}, :, ${r}, :]`)).toEqual(
      digits(differentiated(row(r)).flat()),
    );
  }

  for (const cell of cells) {
    const [, error] = /mean relative error: (\S+) %$/.exec(cell.trim()) ?? [];
    expect(Number(error)).toBeGreaterThan(0);
    expect(Number(error)).toBeLessThan(1e-12);
  }
});

test("the numbers of docs/derivation.md", () => {
  const table = [...page.matchAll(/^\| (\d+) .*$/gm)].map(([line]) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  expect(table.map(([gap]) => gap)).toEqual(["10", "20", "30", "40", "700"]);
  for (const [gap, truth, plain, error, ours] of table) {
    const o = [Number(gap), 0, -1];
    const p = plainSoftmax(o, o[0])[0] as number;
    const entry = exactRow(o).jacobian(0, 0);
    const shape = { rows: 1, classes: 3 };
    const J = built.softmaxJacobian(Float64Array.from(o), shape);
    const difference = entry.minus(p - p * p);
    const lost = difference.div(entry).abs().toNumber();
    expect([truth, plain, error, ours]).toEqual([
      entry.toExponential(12),
      p === 1 ? "0" : (p - p * p).toExponential(12),
      lost === 1 ? "1" : lost.toExponential(1),
      `${errorInEpsilon(J[0] as number, entry).toFixed(2)} ε`,
    ]);
  }

  // The first row of the plain block.
  const [p0 = 0, p1 = 0, p2 = 0] = plainSoftmax([40, 0, -1], 40);
  const sum = p0 - p0 * p0 - p0 * p1 - p0 * p2;
  expect(page).toContain(sum.toExponential(1).replace("-", "−"));

  // Overflow and underflow of exp.
  expect(Math.exp(709.78)).toBeLessThan(Infinity);
  expect(Math.exp(709.79)).toBe(Infinity);
  expect(Math.exp(-745.13)).toBeGreaterThan(0);
  expect(Math.exp(-745.14)).toBe(0);
  expect(plainSoftmax([710, 0])[0]).toBeNaN();
  expect(plainSoftmax([-746, -747])[0]).toBeNaN();

  // 37 and 1,000 zeros.
  const logits = [37, ...Array<number>(1000).fill(0)];
  const truth = exactRow(logits).p;
  const q = plainSoftmax(logits, 37);
  for (const k of [0, 1, 1000])
    expect(
      Math.abs(errorInEpsilon(q[k] as number, truth[k] as Decimal) - 384),
    ).toBeLessThan(2);

  // Half an ulp of a difference near 300.
  expect(300 + 2 ** -45).toBe(300);
  expect(300 + 2 ** -44).toBeGreaterThan(300);
  expect(2 ** -45 / EPSILON).toBe(128);
});

test("the JavaScript of docs/derivation.md", () => {
  const scripts = blocksOf(page).filter(({ language }) => language === "js");
  expect(scripts).toHaveLength(1);
  for (const { code, printed } of scripts) {
    expect(printed.split("\n")).toHaveLength(3);
    expect(runModule(code, directory("module"))).toBe(printed);
  }
});

test.skipIf(!importable("numpy"))(
  "the NumPy code of docs/derivation.md",
  () => {
    const scripts = blocksOf(page).filter(
      ({ language }) => language === "python",
    );
    expect(scripts).toHaveLength(1);
    for (const { code, printed } of scripts)
      expect(execFileSync(python, ["-c", code], { encoding: "utf8" })).toBe(
        printed,
      );
  },
);
