import { readFileSync } from "node:fs";
import { tableFromIPC } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { type ShowOptions, show } from "../../src/show/show.js";
import { DIGITS, softjac } from "../cli/support.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { refused } from "../support/refused.js";

const at = workDirectory();
let names = 0;
const run = async (options: Partial<RunOptions>) => {
  const output = at(`out-${names++}.arrow`);
  await built.run({ input: DIGITS, output, ...options });
  return output;
};

const keep = ["id", "label"];
const reference = tableFromIPC(
  readFileSync(await run({ dtype: "float64", keep })),
);
/** Returns p, the block and copied columns of a row of the digits, as apache-arrow reads them. */
function expectedOf(row: number) {
  const { softmax, jacobian, id, label } = reference.get(row) as never as {
    softmax: Iterable<number>;
    jacobian: Iterable<number>;
    id: unknown;
    label: unknown;
  };
  const J = [...jacobian];
  const block = J.flatMap((_, n) => (n % 10 ? [] : [J.slice(n, n + 10)]));
  return { p: [...softmax], block, copied: [`${id}`, `${label}`] };
}
const near = (x: number) => expect.closeTo(x, 13 - Math.log10(x ** 2) / 2);

test.each(["bsr", "packed", "csr", "factored"] as const)(
  "one row of layout %s",
  async (layout) => {
    const results = await run({ layout, dtype: "float64", keep });
    const found = await show({ results, row: 17 });
    const { p, block, copied } = expectedOf(17);
    expect(found).toMatchObject({
      ...{ path: results, row: 17, input: null, layout, classes: 10, p },
      ...{ isNull: false, shown: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], restOfP: 0 },
      ...{ result: "jacobian", blockFrom: "output" },
    });
    expect(found.columns.slice(0, copied.length)).toEqual(
      copied.map((value, n) => ({ name: keep[n], value })),
    );
    // Factors determine the diagonal of the predicted class up to rounding.
    if (layout !== "factored") expect(found.block).toEqual(block);
    expect(found.block).toEqual(block.map((line) => line.map(near)));
    const others = p.toSorted((a, b) => a - b).slice(0, -1);
    const uncertainty = others.reduce((sum, x) => sum + x);
    expect(found.uncertainty).toEqual(near(uncertainty));
  },
);

test("entries that coo does not store are null", async () => {
  const entries = { layout: "coo", threshold: 1e-6 } as const;
  const results = await run({ ...entries, dtype: "float64" });
  for (const row of [0, 7, 1796]) {
    const stored = (x: number) => (Math.abs(x) >= 1e-6 ? x : null);
    const block = expectedOf(row).block.map((line) => line.map(stored));
    expect(await show({ results, row })).toMatchObject({ p: null, block });
  }
});

test("results with one value, and a block computed from p", async () => {
  const emit = ["softmax", "entropy", "argmax", "uncertainty"] as const;
  const results = await run({
    emit: [...emit],
    dtype: "float64",
    keep: ["id"],
  });
  const { columns, blockFrom, block } = await show({ results, row: 5 });
  const { p, block: expected, copied } = expectedOf(5);
  const nats = p.reduce((sum, x) => sum - x * Math.log(x), 0);
  expect(columns.map(({ name, value }) => [name, Number(value)])).toEqual([
    ["id", Number(copied[0])],
    ["entropy", expect.closeTo(nats, 12)],
    ["argmax", p.indexOf(Math.max(...p))],
    ["uncertainty", expect.closeTo(1 - Math.max(...p), 12)],
  ]);
  expect(blockFrom).toBe("p");
  expect(block).toEqual(expected.map((line) => line.map(near)));
});

describe("many classes", async () => {
  const input = at("many.arrow");
  const logit = (r: number, k: number) => ((k * 37 + r) % 300) / 20;
  writeLogits(input, { rows: 3, classes: 300, logit });
  const results = await run({ input });

  test("the likely ones come first", async () => {
    const found = await show({ results, row: 1, classes: 4 });
    const { shown, p, restOfP, block } = found as never as {
      [name in "shown" | "p"]: number[];
    } & { restOfP: number; block: number[][] };
    const order = Array.from({ length: 300 }, (_, k) => k).sort(
      (a, b) => logit(1, b) - logit(1, a),
    );
    expect(shown).toEqual(order.slice(0, 4));
    expect(p.reduce((sum, x) => sum + x, restOfP)).toBeCloseTo(1, 12);
    expect(block.map((line) => line.length)).toEqual([4, 4, 4, 4]);
    const [, x = 0, y = 0] = p;
    expect(block[1]?.[2]).toBeCloseTo(-x * y, 15);
    expect((await show({ results, row: 0 })).shown.length).toBe(100);
  });

  test("the command shows as many as fit with numbers", () => {
    const { stdout, status } = softjac("show", results, "--row", "2");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^29\d more classes with 0\.\d+ of p/m);
    expect(stdout).not.toContain("shades only");
    const [, ...lines] = stdout.split("\n").map((line) => line.length);
    expect(Math.max(...lines)).toBeLessThanOrEqual(80);
  });
});

test("copied float32 values have as many digits as tell them from others", async () => {
  const input = at("floats.arrow");
  const values = [0.1, 16777217, -2.0667176246643066, 1e-45, Infinity, NaN];
  writeArrow(input, {
    logits: [values.map((_, r) => [r, 1]), "list<float64>"],
    x: [values, "float32"],
  });
  const results = await run({ input, column: "logits", keep: ["x"] });
  const shown: string[] = [];
  for (const row of values.keys()) {
    const { columns } = await show({ results, row });
    shown.push(columns[0]?.value as string);
  }
  const texts = [
    "0.1",
    "16777216",
    "-2.0667176",
    "1.401298e-45",
    "Infinity",
    "NaN",
  ];
  expect(shown).toEqual(texts);
  for (const [k, text] of shown.entries())
    expect(Math.fround(Number(text))).toBe(Math.fround(values[k] as number));
});

test("bad rows and missing rows", async () => {
  const input = at("bad.arrow");
  const logit = (r: number, k: number) => (r === 1 ? Number.NaN : k);
  writeLogits(input, { rows: 3, classes: 2, logit });
  for (const emit of ["softmax", "log_jacobian"] as const) {
    const nulls = await run({ input, emit: [emit], onBadRow: "null" });
    const bad = { isNull: true, p: null, block: null };
    expect(await show({ results: nulls, row: 1 })).toMatchObject(bad);
    expect(softjac("show", nulls, "--row", "1").stdout).toContain("a bad row");
  }
  const results = await run({ input, onBadRow: "skip" });
  expect((await show({ results, row: 2 })).isNull).toBe(false);
  await refused(
    show({ results, row: 1 }),
    "ERR_ROW_MISSING",
    `${results}: row 1: no results in this file: the row was skipped, or is in another shard`,
  );
  expect(softjac("show", results, "--row", "3")).toMatchObject({
    status: 65,
    stderr: `softjac: ${results}: row 3: the output has rows 0 to 2\n`,
  });
  writeLogits(input, { rows: 0, classes: 2, logit: () => 0 });
  const empty = await run({ input });
  await expect(show({ results: empty, row: 0 })).rejects.toThrow(
    `${empty}: row 0: the output has no rows`,
  );
});

test("a row of an input of a dataset", async () => {
  const inputs = ["a", "b"].map((name) => at(`${name}.arrow`));
  for (const [seed, output] of inputs.entries())
    await built.generate({ output, rows: 50, classes: 4, seed });
  const results = `${at("dataset")}/`;
  await built.runDataset({ inputs, output: results, shardRows: 20 });
  const one = await run({ input: inputs[1] as string });
  const { block } = await show({ results: one, row: 45 });
  expect(await show({ results, row: 45, input: "b.arrow" })).toMatchObject({
    path: expect.stringMatching(/part-00005-of-00006\.arrow$/),
    ...{ input: "b.arrow", row: 45, rows: 50, block },
  });
  const all = { results, row: 45 };
  const REFUSED: Record<string, ShowOptions> = {
    [`input: ${results} has several inputs; name one of a.arrow, b.arrow`]: all,
    [`input: expected one of the inputs of ${results} (a.arrow, b.arrow), found c.arrow`]:
      { ...all, input: "c.arrow" },
    [`${results}: row 50: a.arrow has only 50 rows`]: {
      ...{ results, row: 50, input: "a.arrow" },
    },
    [`input: only a dataset has several inputs; ${one} is a file`]: {
      ...{ results: one, row: 1, input: "a.arrow" },
    },
  };
  for (const [message, options] of Object.entries(REFUSED)) {
    const code = options.row === 50 ? "ERR_ROW_MISSING" : "ERR_USAGE";
    await refused(show(options), code, message);
  }
});
