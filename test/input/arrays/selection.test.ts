import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { npy, safetensors, zip } from "../../support/array-files.js";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";

// What a file of arrays is refused with, word by word.

const at = workDirectory();
const input = at("input");
const doubles = (...shape: number[]) =>
  npy(new Float64Array(shape.reduce((a, b) => a * b, 1)), shape);
const of = (descr: string, bytes: number, ...shape: number[]) =>
  npy(new Uint8Array(bytes), { descr, shape });

const archive = zip({
  "o.npy": doubles(4, 3),
  "y.npy": of("<i4", 16, 4),
  "short.npy": of("<i4", 12, 3),
  "g.npy": doubles(4, 3),
  "narrow.npy": doubles(4, 2),
  "flag.npy": of("|b1", 4, 4),
  "big.npy": of(">f8", 96, 4, 3),
});

const REFUSED: [name: string, file: Buffer, options: object, text: string][] = [
  [
    "one dimension",
    doubles(6),
    {},
    "array: expected numbers of shape (rows, classes), found float64 [6]; reshape one row of logits to (1, 6); if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)",
  ],
  [
    "four dimensions",
    doubles(1, 2, 3, 4),
    {},
    "array: expected numbers of shape (rows, classes), found float64 [1, 2, 3, 4]; choose the axis of the classes with --class-axis (-1 is the last), or make it the last and all others rows: numpy.moveaxis(x, AXIS, -1).reshape(-1, CLASSES)",
  ],
  [
    "no dimension",
    doubles(),
    {},
    "array: expected numbers of shape (rows, classes), found float64 []; save the logits as an array of this shape",
  ],
  [
    "no class",
    doubles(2, 0),
    {},
    "array: expected at least 1 class, found float64 [2, 0]; check the program that wrote it",
  ],
  [
    "objects",
    of("|O", 48, 2, 3),
    {},
    'array: expected numbers of shape (rows, classes), found |O (Python objects; pickles are not supported) [2, 3]; save numpy.stack(x).astype("f8")',
  ],
  [
    "complex",
    of("<c16", 96, 2, 3),
    {},
    "array: expected numbers of shape (rows, classes), found <c16 (complex numbers) [2, 3]; save the real part, x.real",
  ],
  [
    "booleans",
    of("|b1", 6, 2, 3),
    {},
    "array: expected numbers of shape (rows, classes), found |b1 (booleans) [2, 3]; save the logits as an array of this shape",
  ],
  [
    "long doubles",
    of("<f16", 96, 2, 3),
    {},
    'array: expected numbers of shape (rows, classes), found <f16 [2, 3]; save x.astype("f8")',
  ],
  [
    "structured",
    npy(new Uint8Array(48), {
      shape: [],
      header:
        "{'descr': [('x', '<f4'), ('y', '<f4', (2,))], 'fortran_order': False, 'shape': (4,)}",
    }),
    {},
    "array: expected numbers of shape (rows, classes), found a structured type [4]; save numpy.lib.recfunctions.structured_to_unstructured(x)",
  ],
  [
    "a name where there is none",
    doubles(2, 3),
    { column: "x" },
    "--column x: an .npy file holds one array without a name; omit the option",
  ],
  [
    "a label where there is none",
    doubles(2, 3),
    { emit: ["gradient"], label: "y" },
    "--label y: no such array; the file has float64 [2, 3], and there is no .npy file at this path",
  ],
  [
    "columns",
    doubles(2, 3),
    { columns: "x*" },
    "--columns x*: an .npy file holds one array without a name; omit the option",
  ],
  [
    "two of them",
    archive,
    {},
    "several arrays of floats of shape (rows, classes): o: float64 [4, 3], g: float64 [4, 3], narrow: float64 [4, 2], big: >f8 (big-endian) [4, 3]; choose one with --column",
  ],
  [
    "none of them",
    zip({ "y.npy": of("<i4", 16, 4), "x.npy": doubles(4) }),
    {},
    "expected an array of numbers of shape (rows, classes), found y: int32 [4], x: float64 [4]; if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)",
  ],
  [
    "no such name",
    archive,
    { column: "z" },
    "--column z: no such array; the file has o: float64 [4, 3], y: int32 [4], short: int32 [3], g: float64 [4, 3], narrow: float64 [4, 2], flag: |b1 (booleans) [4], big: >f8 (big-endian) [4, 3]",
  ],
  [
    "a label too short",
    archive,
    { column: "o", emit: ["gradient"], label: "short" },
    "array short: expected class numbers of shape [4] or [4, 1] or [4, 3] for --label, found short: int32 [3]; write one class number from 0 for each row",
  ],
  [
    "a cotangent too narrow",
    archive,
    { column: "o", emit: ["vjp"], cotangent: "narrow" },
    "array narrow: expected floats of shape [4, 3] for --cotangent, found narrow: float64 [4, 2]; write one float per class for each row",
  ],
  [
    "a covariance",
    archive,
    { column: "o", emit: ["variance"], covariance: "y" },
    "array y: expected floats of shape [4, 3] or [4, 6] or [4, 9] or [4, 3, 3] for --covariance, found y: int32 [4]; write the diagonal, the upper triangle or the whole matrix of each row",
  ],
  [
    "kept matrices",
    archive,
    { column: "o", keep: ["g"] },
    "array g: expected numbers of shape [4] to keep, found g: float64 [4, 3]",
  ],
  [
    "kept booleans",
    archive,
    { column: "o", keep: ["flag"] },
    "array flag: expected numbers of shape [4] to keep, found flag: |b1 (booleans) [4]; save it as uint8",
  ],
  [
    "the output's own name",
    zip({ "o.npy": doubles(4, 3), "row.npy": of("<i4", 16, 4) }),
    { keep: ["row"] },
    "--keep row: the output has a column row of its own",
  ],
  [
    "another zip",
    zip({ "hello/there.txt": Buffer.from("hello") }),
    {},
    "expected a zip archive of .npy files, found hello/there.txt; extract the files and give their paths",
  ],
  [
    "a file of PyTorch",
    zip({
      "model/data.pkl": Buffer.from("x"),
      "model/data/0": Buffer.from("y"),
    }),
    {},
    "expected a zip archive of .npy files, found model/data.pkl, model/data/0; pickles are not supported, save the tensors as safetensors or .npy",
  ],
  [
    "bfloat16 of ml_dtypes",
    of("<V2", 12, 2, 3),
    {},
    "array: expected numbers of shape (rows, classes), found <V2 (raw bytes) [2, 3]; raw bytes of width 2 are probably bfloat16: save x.astype(numpy.float32), or save the array as safetensors",
  ],
  [
    "bfloat16 of ml_dtypes in an archive",
    zip({ "x.npy": of("|V2", 12, 2, 3) }),
    {},
    "expected an array of numbers of shape (rows, classes), found x: |V2 (raw bytes) [2, 3]; raw bytes of width 2 are probably bfloat16: save x.astype(numpy.float32), or save the array as safetensors",
  ],
  [
    "raw bytes of another width",
    of("|V3", 18, 2, 3),
    {},
    "array: expected numbers of shape (rows, classes), found |V3 (raw bytes) [2, 3]; save the logits as an array of this shape",
  ],
  [
    "bfloat16 to keep",
    safetensors({
      o: { dtype: "F32", shape: [2, 2], values: new Float32Array(4) },
      b: { dtype: "BF16", shape: [2], values: new Uint16Array(2) },
    }),
    { keep: ["b"] },
    "array b: expected numbers of shape [2] to keep, found b: bfloat16 [2]; save it as float32",
  ],
];

test.each(REFUSED)("%s", async (_, file, options, text) => {
  writeFileSync(input, file);
  await expect(
    built.run({ input, output: at("none"), ...options }),
  ).rejects.toMatchObject({
    code: text.startsWith("array")
      ? "ERR_INPUT_UNSUPPORTED"
      : "ERR_LOGITS_COLUMN",
    message: `${input}: ${text}`,
  });
});

test("members' names are names, not paths", async () => {
  const name = "../../../tmp/x";
  writeFileSync(
    input,
    zip({ [`${name}.npy`]: doubles(2, 2) }, { deflated: true }),
  );
  const report = await built.run({ input, output: at("names"), column: name });
  expect(report).toMatchObject({ rows: 2, column: name });
});

test("a dry run knows an array's shape", async () => {
  writeFileSync(input, doubles(7, 3));
  expect(await built.dryRun({ input, output: at("dry") })).toMatchObject({
    rows: 7,
    classes: 3,
    column: "array",
    sourceDtype: "float64",
  });
});
