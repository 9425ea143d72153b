import { readFileSync, writeFileSync } from "node:fs";
import { float64, int32, tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { findNames, splitNames } from "../../src/input/column-names.js";
import { arrowOf, type Columns } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { verifiedRun } from "../support/verified-run.js";

describe("a list of names", () => {
  test.each([
    ["a,b", ["a", "b"]],
    ["a, b", ["a", " b"]],
    ["('x'\\, 'y'),b", ["('x', 'y')", "b"]],
    ["a\\\\,b", ["a\\", "b"]],
    ["C:\\x", ["C:\\x"]],
    ["a,,b,", ["a", "b"]],
  ])("%s is split at its commas", (text, pieces) => {
    expect(splitNames(text)).toEqual(pieces);
  });

  const names = [
    "a",
    "b",
    "a,b",
    "('m', 'id')",
    "l_10",
    "l_9",
    "x*",
    "xy",
    "b",
  ];
  test.each<[list: string, found: [text: string, ...places: number[]][]]>([
    [
      "a,l_9",
      [
        ["a", 0],
        ["l_9", 5],
      ],
    ],
    [
      " a , l_9 ",
      [
        ["a", 0],
        ["l_9", 5],
      ],
    ],
    // The name that has the comma wins.
    ["a,b", [["a,b", 2]]],
    [
      "('m', 'id'),a",
      [
        ["('m', 'id')", 3],
        ["a", 0],
      ],
    ],
    ["('m'\\, 'id')", [["('m', 'id')", 3]]],
    // A name wins over a pattern.
    ["x*", [["x*", 6]]],
    [
      "?y,l_*",
      [
        ["?y", 7],
        ["l_*", 5, 4],
      ],
    ],
    ["b", [["b", 1, 8]]],
    ["c,a", [["c"], ["a", 0]]],
    ["z*", [["z*"]]],
  ])("%s stands for columns", (list, found) => {
    expect(
      findNames(splitNames(list), names).map(({ text, indices }) => [
        text,
        ...indices,
      ]),
    ).toEqual(found);
  });
});

describe("columns of a file", () => {
  const at = workDirectory();
  const input = at("in.arrow");
  const columns: Columns = {
    "('id', '')": [[7, 8], int32()],
    "('logit', 'b')": [[0, 3], float64()],
    "('logit', 'a')": [[1, 5], float64()],
    other: [[2, -1], float64()],
  };
  writeFileSync(input, arrowOf(columns));
  const output = at("out.arrow");
  const rows = () => {
    const table = tableFromIPC(readFileSync(output));
    const column = (name: string) =>
      [...table.getChild(name).toArray()].map((row) =>
        typeof row === "number" ? row : [...(row as number[])],
      );
    return { table, column };
  };
  const softmax = (...z: number[]) => {
    const sum = z.reduce((total, x) => total + Math.exp(x), 0);
    return z.map((x) => expect.closeTo(Math.exp(x) / sum, 14) as number);
  };

  test("names and patterns give the classes in their order", async () => {
    await verifiedRun({
      input,
      output,
      columns: "other,('logit', 'a'),('logit'*'b')",
      keep: ["('id', '')"],
      emit: ["softmax"],
    });
    const { table, column } = rows();
    expect(column("softmax")).toEqual([softmax(2, 1, 0), softmax(-1, 5, 3)]);
    expect(column("('id', '')")).toEqual([7, 8]);
    const metadata = Object.fromEntries(table.schema.metadata ?? []);
    expect(metadata["softjac.class_names"]).toBe(
      "[\"other\",\"('logit', 'a')\",\"('logit', 'b')\"]",
    );
    expect(metadata["softjac.keep"]).toBe("[\"('id', '')\"]");
  });

  test("patterns choose columns to copy", async () => {
    await built.run({
      input,
      output,
      columns: "('logit'*",
      keep: ["('id'", "*')", "oth*"],
      emit: ["softmax"],
      force: true,
    });
    expect(rows().column("other")).toEqual([2, -1]);
    expect(rows().column("('id', '')")).toEqual([7, 8]);
  });

  test.each([
    [
      { columns: "other,nothing" },
      "ERR_LOGITS_COLUMN",
      /: --columns nothing: no such column; the file has \('id', ''\): int32, /,
    ],
    [
      { columns: "other,oth*" },
      "ERR_LOGITS_COLUMN",
      /: --columns other,oth\*: two columns are named other; give each class a name of its own$/,
    ],
    [
      { columns: "other", keep: ["none*"] },
      "ERR_LOGITS_COLUMN",
      /: --keep none\*: no such column; the file has /,
    ],
    [
      { columns: "other", keep: ["other", "o*"] },
      "ERR_USAGE",
      /^keep: other is given twice$/,
    ],
  ])("%j is refused", async (options, code, message) => {
    await expect(
      built.run({ input, output: at("none.arrow"), ...options }),
    ).rejects.toThrow(
      expect.objectContaining({
        code,
        message: expect.stringMatching(message),
      }),
    );
  });
});
