import { readFileSync } from "node:fs";
import { tableFromIPC } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { show } from "../../src/show/show.js";
import { DIGITS, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
let names = 0;
const run = async (options: Partial<RunOptions>) => {
  const output = at(`out-${names++}.arrow`);
  await built.run({ input: DIGITS, output, ...options });
  return output;
};

/** What apache-arrow reads of blocks that are written whole. */
const reference = tableFromIPC(
  readFileSync(await run({ dtype: "float64", keep: ["id", "label"] })),
);
const blockOf = (row: number) => {
  const { softmax, jacobian, id, label } = reference.get(row) as unknown as {
    softmax: { toArray(): Float64Array };
    jacobian: { toArray(): Float64Array };
    id: unknown;
    label: unknown;
  };
  const J = jacobian.toArray();
  return {
    p: [...softmax.toArray()],
    J: Array.from({ length: 10 }, (_, i) => [
      ...J.subarray(10 * i, 10 * i + 10),
    ]),
    id: String(id),
    label: String(label),
  };
};

describe.each(["bsr", "packed", "csr", "factored", "dense"] as const)(
  "layout %s",
  (layout) => {
    test("one row as it stands in the file", async () => {
      // The tensor of all rows would be 258 MB.
      const input = at("some.arrow");
      if (layout === "dense")
        writeLogits(input, {
          rows: 20,
          classes: 10,
          logit: (r, k) => ((r * 7 + k * 3) % 11) - 4,
        });
      const results = await run({
        layout,
        dtype: "float64",
        ...(layout === "dense" ? { input } : { keep: ["id", "label"] }),
      });
      const found = await show({ results, row: 17 });
      expect(found).toMatchObject({
        path: results,
        row: 17,
        input: null,
        layout,
        classes: 10,
        isNull: false,
        shown: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        restOfP: 0,
        result: "jacobian",
        blockFrom: "output",
      });
      const p = found.p as number[];
      const block = found.block as number[][];
      if (layout === "dense") {
        const logits = p.map((_, k) => ((17 * 7 + k * 3) % 11) - 4);
        const sum = logits.reduce((s, o) => s + Math.exp(o), 0);
        p.forEach((x, k) => {
          const own = Math.exp(logits[k] as number) / sum;
          expect(x).toBeCloseTo(own, 14);
          expect(block[k]?.[k]).toBeCloseTo(own * (1 - own), 14);
        });
        return;
      }
      const { p: expected, J, id, label } = blockOf(17);
      expect(p).toEqual(expected);
      // Factors give the winner's diagonal to rounding.
      if (layout !== "factored") expect(block).toEqual(J);
      J.flat().forEach((x, n) => {
        expect((block.flat()[n] as number) / x).toBeCloseTo(1, 14);
      });
      expect(found.columns.slice(0, 2)).toEqual([
        { name: "id", value: id },
        { name: "label", value: label },
      ]);
      const top = Math.max(...expected);
      const others = expected.reduce(
        (sum, x) => (x === top ? sum : sum + x),
        0,
      );
      expect((found.uncertainty as number) / others).toBeCloseTo(1, 12);
    });
  },
);

test("coo: entries that were left out are null, also of a row without any", async () => {
  const results = await run({
    layout: "coo",
    threshold: 1e-6,
    dtype: "float64",
  });
  for (const row of [0, 7, 1796]) {
    const { block, p } = await show({ results, row });
    expect(p).toBeNull();
    const expected = blockOf(row).J.map((line) =>
      line.map((x) => (Math.abs(x) >= 1e-6 ? x : null)),
    );
    expect(block).toEqual(expected);
  }
});

test("results of one value stand with the kept columns; a block is made of p where there is none", async () => {
  const results = await run({
    emit: ["softmax", "entropy", "argmax", "uncertainty"],
    dtype: "float64",
    keep: ["id"],
  });
  const found = await show({ results, row: 5 });
  const { p, J } = blockOf(5);
  expect(found.columns.map(({ name }) => name)).toEqual([
    "id",
    "entropy",
    "argmax",
    "uncertainty",
  ]);
  const [, entropy, argmax] = found.columns;
  expect(Number(argmax?.value)).toBe(p.indexOf(Math.max(...p)));
  const nats = p.reduce((sum, x) => sum - x * Math.log(x), 0);
  expect(Number(entropy?.value)).toBeCloseTo(nats, 12);
  expect(found.blockFrom).toBe("p");
  found.block?.forEach((line, i) => {
    line.forEach((x, j) => {
      expect((x as number) / (J[i]?.[j] as number)).toBeCloseTo(1, 12);
    });
  });
});

describe("many classes", async () => {
  const input = at("many.arrow");
  writeLogits(input, {
    rows: 3,
    classes: 300,
    logit: (r, k) => ((k * 37 + r) % 300) / 20,
  });
  const results = await run({ input });

  test("those of the largest p, the largest first, and what the others have", async () => {
    const { shown, p, restOfP, block } = await show({
      results,
      row: 1,
      classes: 4,
    });
    const order = Array.from({ length: 300 }, (_, k) => k).sort(
      (a, b) => ((b * 37 + 1) % 300) - ((a * 37 + 1) % 300),
    );
    expect(shown).toEqual(order.slice(0, 4));
    const sum = (p as number[]).reduce((s, x) => s + x, 0);
    expect(sum + (restOfP as number)).toBeCloseTo(1, 12);
    expect(block?.length).toBe(4);
    expect(block?.[1]?.[2]).toBeCloseTo(
      -(p?.[1] as number) * (p?.[2] as number),
      15,
    );
  });

  test("100 unless told otherwise", async () => {
    expect((await show({ results, row: 0 })).shown.length).toBe(100);
  });

  test("on a terminal as many as fit with numbers", () => {
    const { stdout, status } = softjac("show", results, "--row", "2");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^29\d more classes with 0\.\d+ of p/m);
    expect(stdout).not.toContain("shades only");
    for (const line of stdout.split("\n").slice(1))
      expect(line.length).toBeLessThanOrEqual(80);
  });
});

test("a bad row that is null, one that was left out, one that is not there", async () => {
  const input = at("bad.arrow");
  writeLogits(input, {
    rows: 3,
    classes: 2,
    logit: (r, k) => (r === 1 ? Number.NaN : k),
  });
  const nulls = await run({ input, onBadRow: "null" });
  expect(await show({ results: nulls, row: 1 })).toMatchObject({
    isNull: true,
    p: null,
    block: null,
  });
  expect(softjac("show", nulls, "--row", "1").stdout).toContain("a bad row");
  const skipped = await run({ input, onBadRow: "skip" });
  expect(await show({ results: skipped, row: 2 })).toMatchObject({
    isNull: false,
  });
  await expect(show({ results: skipped, row: 1 })).rejects.toMatchObject({
    code: "ERR_ROW_MISSING",
    message: `${skipped}: row 1: no results in this file: the row was skipped, or is in another shard`,
  });
  expect(softjac("show", skipped, "--row", "3")).toMatchObject({
    status: 65,
    stderr: `softjac: ${skipped}: row 3: the output has rows 0 to 2\n`,
  });
});

test("a dataset: the part that has the row, of the input that is named", async () => {
  const inputs = ["a", "b"].map((name) => at(`${name}.arrow`));
  for (const [seed, output] of inputs.entries())
    await built.generate({ output, rows: 50, classes: 4, seed });
  const output = `${at("dataset")}/`;
  await built.runDataset({ inputs, output, shardRows: 20 });
  const one = await run({ input: inputs[1] as string });
  const found = await show({ results: output, row: 45, input: "b.arrow" });
  const alone = await show({ results: one, row: 45 });
  expect(found.path).toMatch(/part-00005-of-00006\.arrow$/);
  expect(found.block).toEqual(alone.block);
  expect(found).toMatchObject({ input: "b.arrow", row: 45, rows: 50 });
  await expect(show({ results: output, row: 45 })).rejects.toMatchObject({
    code: "ERR_USAGE",
    message: `input: ${output} has several inputs; name one of a.arrow, b.arrow`,
  });
  await expect(
    show({ results: output, row: 50, input: "a.arrow" }),
  ).rejects.toMatchObject({ code: "ERR_ROW_MISSING" });
  await expect(
    show({ results: one, row: 1, input: "a.arrow" }),
  ).rejects.toMatchObject({ code: "ERR_USAGE" });
});
