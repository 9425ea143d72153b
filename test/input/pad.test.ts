import { expect, test } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import { LIMITS } from "../../src/io/limits.js";
import type { Type } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import {
  inputRuns,
  type Options,
  type Row,
  rows,
  softmaxOf,
} from "../support/input-runs.js";

// --pad: the longest list has all classes, and the classes that a row lacks are masked.

const { input, write, run, verified } = inputRuns();

const writeLists = (values: unknown[], type: Type = "list<float64>") =>
  write({ logits: [values, type] }, 2);
const padded = (options: Options = {}) => verified({ pad: true, ...options });
const expected = (row: NonNullable<Row>, classes: number) =>
  softmaxOf([...row, ...Array(classes).fill(null)].slice(0, classes), 6);

test.each([
  ["list<double>", "list<float64>"],
  ["large_list<float>", "large_list<float32>"],
])("%s", async (_, type) => {
  writeLists(rows("1 2 0.5; 0 1 2 3 -1; null; 4; ; 2 null 1"), type);
  const { column, metadata } = await padded({ onBadRow: "null" });
  const all = [expected([1, 2, 0.5], 5), expected([0, 1, 2, 3, -1], 5), null];
  expect(column("softmax")).toEqual([...all, [1, 0, 0, 0, 0], null, null]);
  expect(metadata["softjac.pad"]).toBe("true");
  const masked = await padded({ onBadRow: "null", nullLogit: "mask" });
  expect(masked.column("softmax")[5]).toEqual(expected([2, null, 1], 5));
});

test("an empty list is a bad row because all of its classes are masked", async () => {
  writeLists(rows("1 2; "));
  await expect(run({ pad: true })).rejects.toThrow(
    `${input}: row 1: expected finite logits or -inf for masked classes, found -inf in all 2 classes`,
  );
});

test("lists of lists", async () => {
  const values = [rows("1 2; 3"), [], rows("4 5 6")];
  writeLists(values, "list<list<float64>>");
  const { column } = await padded();
  const [a, , c] = [expected([1, 2], 3), null, expected([4, 5, 6], 3)];
  expect(column("softmax")).toEqual([a, [1, 0, 0], c]);
  expect(column("position")).toEqual([0, 1, 0]);
});

test.each(["float64", "int32"])(
  "lists of one length give the same results without --pad: %#",
  async (item) => {
    writeLists(rows("1 2; 3 5"), `list<${item}>`);
    const { column } = await padded();
    expect(column("softmax")).toEqual((await run()).column("softmax"));
  },
);

test("inspect supports --pad", async () => {
  writeLists(rows("1 2 3; 4"));
  const found = await built.inspect({ input, pad: true, scan: true });
  expect(found.logits).toMatchObject({ classes: 3 });
  expect(found.values).toMatchObject({ maskedLogits: 2, badRows: 0 });
});

test("a short file with one long list is limited before it is padded", async () => {
  writeLists([...Array(1000).fill([1]), Array(1000).fill(0)]);
  const usual = LIMITS.maxDecodedBytes;
  LIMITS.maxDecodedBytes = 1_000_000;
  const options = { keep: [], ownNames: [], inputs: [], pad: true };
  try {
    await expect(openLogits(input, options)).rejects.toThrow(
      "column logits: expected at most 1000000 decoded bytes, found 8008000",
    );
  } finally {
    LIMITS.maxDecodedBytes = usual;
  }
});
