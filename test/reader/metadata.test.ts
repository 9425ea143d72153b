import { readFileSync, writeFileSync } from "node:fs";
import { Float64, Utf8 } from "apache-arrow";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { twoBlocks, writeResults } from "../support/results-file.js";

const at = workDirectory();
const input = at("in");
const output = at("out");
writeLogits(input, { rows: 5, classes: 3, logit: (r, k) => r - k });
await built.run({ input, output });

test("lists without metadata: classes by their length", async () => {
  const path = at("lists");
  for (const [size, expected, options = {}] of [
    [9, { layout: "bsr", classes: 3 }],
    [6, { layout: "packed", classes: 3 }],
    [36, { layout: "bsr", classes: 6 }, { layout: "bsr" }],
    [36, { layout: "packed", classes: 8 }, { classes: 8 }],
    [8, { layout: "dense", classes: 2 }, { layout: "dense" }],
    [18, { layout: "dense", classes: 3 }, { classes: 3 }],
  ] as const) {
    writeResults(path, { columns: twoBlocks(size) });
    await using reader = await built.openJacobian(path, options);
    expect(reader).toMatchObject({ ...expected, rows: 2, temperature: null });
    expect(await reader.entry(1, 0, 1)).toBe(
      expected.layout === "dense" ? expected.classes + 2 : 2,
    );
  }
  writeResults(path, { columns: twoBlocks(36) });
  await expect(built.openJacobian(path)).rejects.toMatchObject({
    code: "ERR_USAGE",
    message: `layout: ${path} does not tell the layout of the lists of 36 values in column jacobian: bsr of 6 classes or packed of 8 classes; give the option layout or classes`,
  });
  writeResults(path, { columns: twoBlocks(7) });
  await expect(built.openJacobian(path)).rejects.toThrow(
    `${path}: column jacobian: expected lists of Q·Q or Q(Q+1)/2 values (from softjac.layout, softjac.classes or the options), found lists of 7`,
  );
});

test("metadata that contradicts the columns", async () => {
  const path = at("contradiction");
  for (const [metadata, message] of [
    [
      { classes: "4" },
      "column jacobian: expected lists of Q·Q or Q(Q+1)/2 values of 4 classes (from softjac.layout, softjac.classes or the options), found lists of 9",
    ],
    [
      { layout: "bsr", classes: "4" },
      "column jacobian: expected lists of Q·Q values for layout bsr of 4 classes (from softjac.layout, softjac.classes or the options), found lists of 9",
    ],
    [
      { layout: "packed" },
      "column jacobian: expected lists of Q(Q+1)/2 values for layout packed (from softjac.layout, softjac.classes or the options), found lists of 9",
    ],
    [
      { layout: "csr" },
      "schema: expected columns indices, values for layout csr (from softjac.layout or the option), found row: int64, jacobian: fixed_size_list<float64>[9]",
    ],
    [
      { rows: "1" },
      "column row: expected row numbers below 1 (from softjac.rows or the option), found 1",
    ],
    [
      { dtype: "float32" },
      "column jacobian: expected float32 as in softjac.dtype, found float64",
    ],
    [
      { classes: "three" },
      'metadata: expected a whole number from 1 to 94906265 as softjac.classes, found "three"',
    ],
    [
      { temperature: "0" },
      'metadata: expected a number above 0 as softjac.temperature, found "0"',
    ],
  ] as const) {
    writeResults(path, {
      columns: twoBlocks(9),
      metadata: Object.fromEntries(
        Object.entries(metadata).map(([key, value]) => [
          `softjac.${key}`,
          value,
        ]),
      ),
    });
    await expect(built.openJacobian(path)).rejects.toMatchObject({
      code: "ERR_INPUT_FORMAT",
      message: `${path}: ${message}`,
    });
  }
});

test("the shape of a tensor that is not its lists'", async () => {
  const path = at("shape");
  const bytes = readFileSync(output).toString("latin1");
  const wrong = bytes.replaceAll('"shape":[3,3]', '"shape":[3,4]');
  expect(wrong).not.toBe(bytes);
  writeFileSync(path, wrong, "latin1");
  await expect(built.openJacobian(path)).rejects.toMatchObject({
    code: "ERR_INPUT_FORMAT",
    message: `${path}: column jacobian: expected the shape of a tensor of 9 values, not permuted, found {"shape":[3,4],"dim_names":["i","j"]}`,
  });
});

test("columns of other types are refused by name", async () => {
  const path = at("types");
  const [row, lists] = twoBlocks(4);
  writeResults(path, {
    columns: [row, ["jacobian", new Utf8(), ["a", "b"]]],
  });
  await expect(built.openJacobian(path)).rejects.toMatchObject({
    code: "ERR_INPUT_UNSUPPORTED",
    message: `${path}: column jacobian: expected fixed_size_list or list of float32 or float64, found utf8`,
  });
  writeResults(path, {
    columns: [["row", new Float64(), [0, 1]], lists],
  });
  await expect(built.openJacobian(path)).rejects.toThrow(
    `${path}: column row: expected whole numbers, found float64`,
  );
});
