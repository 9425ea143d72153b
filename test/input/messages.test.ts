import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import {
  fixedSizeList,
  float64,
  int32,
  int64,
  list,
  map,
  struct,
  utf8,
} from "@uwdata/flechette";
import { expect, test } from "vitest";
import { softjacIn } from "../cli/support.js";
import { npy, safetensors, zip } from "../support/array-files.js";
import { arrowOf } from "../support/arrow-columns.js";
import { workDirectory } from "../support/logits-input.js";

// Messages say what is wrong with the type, shape, size or choice of an input and, after the last semicolon, what to do.
// Those of docs/inputs.md are in test/interop/inputs-table.test.ts, those of arrays and margins in
// arrays/selection.test.ts and margins.test.ts.

const at = workDirectory();
const cwd = at(".");

const pairs = [
  [1, 2],
  [3, 4],
];
const lists = fixedSizeList(float64(), 2);
const columns = arrowOf({
  logits: [pairs, lists],
  text: [["a", "b"], utf8()],
  whole: [[1, 2n ** 53n + 1n], int64()],
  wide: [
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    fixedSizeList(float64(), 3),
  ],
  ids: [pairs, list(int32())],
  facts: [[[["k", 1]], []], map(utf8(), int32())],
});
const doubles = (...shape: number[]) =>
  npy(new Float64Array(shape.reduce((a, b) => a * b, 1)), shape);
const bytes = (descr: string, ...shape: number[]) =>
  npy(
    new Uint8Array(
      Number(/\d+/.exec(descr)) * (shape[0] as number) * (shape[1] ?? 1),
    ),
    {
      descr,
      shape,
    },
  );
const COLUMNS =
  "logits: fixed_size_list<float64>[2], text: utf8, whole: int64, wide: fixed_size_list<float64>[3], ids: list<int32>, facts: map<utf8, int32>";

const MESSAGES: [
  input: Buffer,
  args: string[],
  message: string,
  hint: string,
][] = [
  [
    columns,
    [],
    "several columns of floats in lists: logits: fixed_size_list<float64>[2], wide: fixed_size_list<float64>[3]",
    "choose one with --column",
  ],
  [
    columns,
    ["--column", "logit"],
    "--column logit: no such column",
    `the file has ${COLUMNS}`,
  ],
  [
    columns,
    ["--column", "text"],
    "column text: expected lists, or a struct, of numbers, found utf8",
    "write the logits as lists of numbers",
  ],
  [
    columns,
    ["--columns", "w*,t*"],
    "column wide: expected numbers (it matches w*,t*), found fixed_size_list<float64>[3]",
    "--columns takes one column of numbers per class",
  ],
  [
    columns,
    ["--columns", "whole,whole"],
    "--columns whole,whole: two columns are named whole",
    "give each class a name of its own",
  ],
  [
    arrowOf({ o: [[{ a: 1, b: 2 }], struct({ a: float64(), b: utf8() })] }),
    ["--column", "o"],
    "column o: expected lists, or a struct, of numbers, found struct<a: float64, b: utf8>",
    "write the logits as lists of numbers",
  ],
  [
    columns,
    ["--column", "logits", "--keep", "facts"],
    "column facts: unions, maps and unknown types cannot be copied, found map<utf8, int32>",
    "join such columns to the output by row",
  ],
  [
    columns,
    ["--column", "wide", "--keep", "logits,none"],
    "--keep none: no such column",
    `the file has ${COLUMNS}`,
  ],
  [
    columns,
    ["--column", "logits", "--emit", "cross_entropy", "--label", "facts"],
    "column facts: expected class numbers, class names or one-hot rows for --label, found map<utf8, int32>",
    "write one class number from 0 for each row",
  ],
  [
    columns,
    ["--column", "logits", "--emit", "cross_entropy", "--label", "y.npy"],
    "--label y.npy: no such column",
    `the file has ${COLUMNS}; a file of labels can only be used with files of arrays`,
  ],
  [
    columns,
    ["--column", "logits", "--emit", "jvp", "--tangent", "wide"],
    "column wide: expected 2 values in a row of 2 classes, found 3",
    "write one float per class for each row",
  ],
  [
    columns,
    ["--column", "logits", "--emit", "vjp", "--cotangent", "text"],
    "column text: expected fixed_size_list or list of float32 or float64 for --cotangent, found utf8",
    "write one float per class for each row",
  ],
  [
    arrowOf({ a: [[2n ** 53n + 1n], int64()], b: [[1], float64()] }),
    ["--columns", "a,b"],
    "record batch 0, column a: expected whole numbers that float64 holds exactly, found 9007199254740992 at value 0",
    "write smaller numbers, or floats",
  ],
  [
    arrowOf({ z: [[[]], fixedSizeList(float64(), 0)] }),
    [],
    "column z: expected at least 1 class, found lists of length 0",
    "check the program that wrote them",
  ],
  [
    doubles(2, 3),
    ["--keep", "x"],
    "--keep x: an .npy file holds one array without a name",
    "save several arrays as .npz or safetensors",
  ],
  [
    bytes("|S2", 2, 3),
    [],
    "array: expected numbers of shape (rows, classes), found |S2 (bytes) [2, 3]",
    'if the text is numbers, save x.astype("f8")',
  ],
  [
    safetensors({
      c: { dtype: "C64", shape: [2, 1], values: new Uint8Array(16) },
    }),
    ["--column", "c"],
    "array c: expected numbers of shape (rows, classes), found c: C64 [2, 1]",
    "save the real part, x.real",
  ],
  [
    zip({ "y.npy": bytes("<i4", 4) }),
    [],
    "expected an array of numbers of shape (rows, classes), found y: int32 [4]",
    "save the logits as an array of this shape",
  ],
  [
    zip({ "b_0.npy": doubles(2, 3), "b_1.npy": doubles(1, 3) }),
    [],
    "several arrays of floats of shape (rows, classes): b_0: float64 [2, 3], b_1: float64 [1, 3]",
    "choose one with --column, or concatenate their rows with --columns",
  ],
];

const run = (...args: string[]) => {
  rmSync(at("out.arrow"), { force: true });
  return softjacIn({ cwd }, "run", ...args);
};

test.each(MESSAGES)("%#", (bytes, args, message, hint) => {
  writeFileSync(at("in"), bytes);
  const { status, stderr } = run("in", "-o", "out.arrow", ...args);
  expect(stderr.split("\n").at(-2)).toBe(`softjac: in: ${message}; ${hint}`);
  expect(status).toBe(65);
});

test("files of a dataset that differ", () => {
  const folder = at("shards");
  for (const [other, message] of [
    [
      doubles(2, 3),
      "expected 2 classes as in a.npy, found 3; run files of other classes by themselves",
    ],
    [
      doubles(1, 2, 2),
      "expected rows of 1 axes as in a.npy, found 2; give all files the same shape, or run them one by one",
    ],
    [
      npy(new Float32Array(4), [2, 2]),
      "expected results of float64 as in a.npy, found float32; use --dtype float32 or --dtype float64 for all files",
    ],
  ] as const) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    writeFileSync(`${folder}/a.npy`, doubles(2, 2));
    writeFileSync(`${folder}/b.npy`, other);
    const { status, stderr } = run("shards", "-o", "out/");
    expect(stderr).toMatch(`b.npy: logits: ${message}\n`);
    expect(status).toBe(65);
  }
});

test("other commands", () => {
  writeFileSync(at("in"), doubles(2, 2));
  for (const [args, message] of [
    [
      ["show", "in", "--row", "0"],
      "in: first bytes: expected an Arrow IPC file or stream, found a file of the format npy; give a file that softjac run wrote",
    ],
    [
      ["inspect", "."],
      ".: input: expected a file, found a directory; give the path of one of its files",
    ],
  ] as const) {
    const { status, stderr } = softjacIn({ cwd }, ...args);
    expect(stderr).toBe(`softjac: ${message}\n`);
    expect(status).toBe(65);
  }
});
