import { mkdirSync, readFileSync } from "node:fs";
import {
  float32,
  float64,
  int32,
  largeList,
  list,
  tableFromIPC,
} from "@uwdata/flechette";
import { expect, test } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import { LIMITS } from "../../src/io/limits.js";
import type { RunOptions } from "../../src/options/run-options.js";
import { softjac } from "../cli/support.js";
import { type Type, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { read } from "../support/plain-rows.js";

// --pad: the longest list has all classes, and the classes that a row lacks are masked.

const at = workDirectory();
const input = at("in.arrow");
const output = at("out.arrow");
const choices = [[1, 2, 0.5], [0, 1, 2, 3, -1], null, [4], [], [2, null, 1]];

function write(values: unknown[], type: Type, path = input): void {
  writeArrow(path, { logits: [values, type] }, { batchRows: 2 });
}

async function softmax(options: Partial<RunOptions> = {}) {
  await built.run({ input, output, force: true, pad: true, ...options });
  const table = tableFromIPC(readFileSync(output));
  return { table, p: read(output, "softmax") };
}

function expected(row: readonly (number | null)[], classes: number): unknown[] {
  const e = Array.from({ length: classes }, (_, k) => {
    const x = row[k] ?? null;
    return x === null ? 0 : Math.exp(x);
  });
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => (x === 0 ? 0 : expect.closeTo(x / sum, 6)));
}

test.each([
  ["list<double>", list(float64())],
  ["large_list<float>", largeList(float32())],
])("%s", async (_, type) => {
  write(choices, type);
  const { table, p } = await softmax({ onBadRow: "null" });
  expect(p).toEqual([
    expected([1, 2, 0.5], 5),
    expected([0, 1, 2, 3, -1], 5),
    null,
    [1, 0, 0, 0, 0],
    null,
    null,
  ]);
  expect(table.schema.metadata?.get("softjac.pad")).toBe("true");
  expect(softjac("verify", output, "--input", input, "--all").status).toBe(0);
  const masked = await softmax({ onBadRow: "null", nullLogit: "mask" });
  expect(masked.p[5]).toEqual(expected([2, null, 1], 5));
  expect(softjac("verify", output, "--input", input).status).toBe(0);
});

test("an empty list is a bad row: all of its classes are masked", async () => {
  write([[1, 2], []], list(float64()));
  await expect(softmax()).rejects.toThrow(
    `${input}: row 1: expected finite logits or -inf for masked classes, found -inf in all 2 classes`,
  );
});

test("lists of lists", async () => {
  write([[[1, 2], [3]], [], [[4, 5, 6]]], list(list(float64())));
  const { table, p } = await softmax();
  expect(p).toEqual([expected([1, 2], 3), [1, 0, 0], expected([4, 5, 6], 3)]);
  expect(Array.from(table.getChild("position") ?? [])).toEqual([0, 1, 0]);
  expect(softjac("verify", output, "--input", input).status).toBe(0);
});

test("lists of one length give what they give without --pad", async () => {
  const rows = [
    [1, 2],
    [3, 5],
  ];
  for (const type of [list(float64()), list(int32())]) {
    write(rows, type);
    const { p } = await softmax();
    expect((await softmax({ pad: false })).p).toEqual(p);
  }
});

test("without --pad the first other row is named, with the ways out", () => {
  write(
    [
      [1, 2, 3],
      [1, 2, 3],
      [4, 5],
    ],
    list(float64()),
  );
  const found = softjac("run", input, "-o", output, "--force");
  expect(found.status).toBe(65);
  expect(found.stderr).toContain(
    `${input}: column logits, row 2: expected 3 values as in the first row, found 2; pad the lists to one length: --pad masks the classes that a row of logits lacks, as do nulls with --null-logit mask`,
  );
});

test("inspect takes --pad", async () => {
  write([[1, 2, 3], [4]], list(float64()));
  const found = await built.inspect({ input, pad: true, scan: true });
  expect(found.logits).toMatchObject({ classes: 3 });
  expect(found.values).toMatchObject({ maskedLogits: 2, badRows: 0 });
});

test("a short file with one long list is limited before it is padded", async () => {
  write([...Array(1000).fill([1]), Array(1000).fill(0)], list(float64()));
  const usual = LIMITS.maxDecodedBytes;
  LIMITS.maxDecodedBytes = 1_000_000;
  const options = { keep: [], ownNames: [], inputs: [], pad: true };
  try {
    await expect(openLogits(input, options)).rejects.toThrow(
      "column logits: expected at most 1000000 bytes of padded lists, found 8008000",
    );
  } finally {
    LIMITS.maxDecodedBytes = usual;
  }
});

test("shards of a dataset are padded", async () => {
  const folder = at("folder");
  mkdirSync(folder);
  write([[1, 2, 3], [4]], list(float64()), `${folder}/a.arrow`);
  write([[1], [4, 5, 6]], list(float64()), `${folder}/b.arrow`);
  const out = at("dataset/");
  const args = ["run", folder, "-o", out, "--pad"];
  expect(softjac(...args)).toMatchObject({ status: 0 });
  const path = `${out}part-00001-of-00002.arrow`;
  expect(read(path, "softmax")[0]).toEqual([1, 0, 0]);
  const verified = softjac("verify", path, "--input", `${folder}/b.arrow`);
  expect(verified.status).toBe(0);
});
