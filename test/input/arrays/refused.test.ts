import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  npy,
  safetensors,
  safetensorsFile,
  zip,
} from "../../support/array-files.js";
import { workDirectory } from "../../support/logits-input.js";
import { openRefusal } from "../../support/opened-input.js";

// Messages about files of arrays that are damaged, or whose arrays an option cannot use.

const input = workDirectory()("input");

/** Tests the message for each file, which is the text after `prefix`. */
function testFiles(prefix: string, files: Record<string, Buffer>): void {
  test.each(Object.entries(files))(`${prefix}%s`, async (text, file) => {
    writeFileSync(input, file);
    expect(await openRefusal(input)).toBe(`${prefix}${text}`);
  });
}

/** Tests the message for options, each written as on the command line; one that takes a column is given with its name. */
function testOptions(
  prefix: string,
  file: Buffer,
  messages: Record<string, string>,
): void {
  test.each(Object.entries(messages))(`${prefix} %s`, async (words, text) => {
    writeFileSync(input, file);
    const [option = "", name = "", column] = words.slice(2).split(" ");
    const options = ["column", "columns"].includes(option)
      ? { [option]: name }
      : option === "keep"
        ? { keep: [name], ownNames: ["row"] }
        : { inputs: [{ option: option as "label", name }] };
    expect(await openRefusal(input, { column, ...options })).toBe(
      `${prefix}${text}`,
    );
  });
}

const of = (descr: string, bytes: number, ...shape: number[]) =>
  npy(new Uint8Array(bytes), { descr, shape });
const doubles = (...shape: number[]) =>
  of("<f8", 8 * shape.reduce((a, b) => a * b, 1), ...shape);

const AXIS =
  "choose the axis of the classes with --class-axis (-1 is the last), or make it the last and all others rows: numpy.moveaxis(x, AXIS, -1).reshape(-1, CLASSES)";
const BINARY =
  "if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)";
const BFLOAT =
  "raw bytes of width 2 are probably bfloat16: save x.astype(numpy.float32), or save the array as safetensors";
const SAVE = "save the logits as an array of this shape";

testFiles(
  "ERR_INPUT_UNSUPPORTED file: array: expected numbers of shape (rows, classes), found ",
  {
    [`float64 [6]; reshape one row of logits to (1, 6); ${BINARY}`]: doubles(6),
    [`float64 [1, 2, 3, 4]; ${AXIS}`]: doubles(1, 2, 3, 4),
    [`|b1 (booleans) [2, 3]; ${SAVE}`]: of("|b1", 6, 2, 3),
    '<f16 [2, 3]; save x.astype("f8")': of("<f16", 96, 2, 3),
    [`<V2 (raw bytes) [2, 3]; ${BFLOAT}`]: of("<V2", 12, 2, 3),
    [`|V3 (raw bytes) [2, 3]; ${SAVE}`]: of("|V3", 18, 2, 3),
  },
);

const tensor = (dtype: string, width: number, ...shape: number[]) => {
  const values = shape.reduce((a, b) => a * b, width);
  return { dtype, shape, values: new Uint8Array(values) };
};

testOptions(
  "ERR_INPUT_UNSUPPORTED file: array ",
  safetensors({
    o: tensor("F64", 8, 4, 3),
    y: tensor("I32", 4, 4),
    short: tensor("I32", 4, 3),
    narrow: tensor("F64", 8, 4, 2),
    flag: tensor("BOOL", 1, 4),
    brain: tensor("BF16", 2, 4),
    none: tensor("F64", 8, 2, 0),
    tall: tensor("F64", 8, 2, 2, 3),
    other: tensor("F32", 4, 4, 3),
  }),
  {
    "--column none":
      "none: expected at least 1 class, found none: float64 [2, 0]; check the program that wrote it",
    "--label short o":
      "short: expected class numbers of shape [4] or [4, 1] or [4, 3] for --label, found short: int32 [3]; write one class number from 0 for each row",
    "--cotangent narrow o":
      "narrow: expected numbers of shape [4, 3] for --cotangent, found narrow: float64 [4, 2]; write one number per class for each row",
    "--covariance y o":
      "y: expected numbers of shape [4, 3] or [4, 6] or [4, 9] or [4, 3, 3] for --covariance, found y: int32 [4]; write the diagonal, the upper triangle or the whole matrix of each row",
    "--keep other o":
      "other: expected numbers of shape [4] to keep, found other: float32 [4, 3]",
    "--keep other tall":
      "other: expected numbers of shape [4] or [2, 2] or [2] to keep, found other: float32 [4, 3]",
    "--keep flag o":
      "flag: expected numbers of shape [4] to keep, found flag: BOOL [4]; save it as uint8",
    "--keep brain o":
      "brain: expected numbers of shape [4] to keep, found brain: bfloat16 [4]; save it as float32",
    "--columns o,narrow":
      "narrow: expected float64 and 3 classes as in array o, found narrow: float64 [4, 2]; --columns concatenates the rows of arrays",
    "--columns o,other":
      "other: expected float64 and 3 classes as in array o, found other: float32 [4, 3]; --columns concatenates the rows of arrays",
  },
);

const UNNAMED = "an .npy file holds one array without a name; omit the option";
testOptions("ERR_LOGITS_COLUMN file: ", doubles(2, 3), {
  "--column x": `--column x: ${UNNAMED}`,
  "--columns x*": `--columns x*: ${UNNAMED}`,
  "--keep x": `--keep x: ${UNNAMED.replace("omit the option", "save several arrays as .npz or safetensors")}`,
  "--label y":
    "--label y: no such array; the file has float64 [2, 3], and there is no .npy file at this path",
});

const members = { "o.npy": doubles(4, 3), "row.npy": of("<i4", 16, 4) };
testOptions("ERR_LOGITS_COLUMN file: ", zip(members), {
  "--column z":
    "--column z: no such array; the file has o: float64 [4, 3], row: int32 [4]",
  "--keep row": "--keep row: the output has a column row of its own",
});

testFiles("ERR_LOGITS_COLUMN file: ", {
  "several arrays of floats of shape (rows, classes): o: float64 [4, 3], g: >f8 (big-endian) [4, 3]; choose one with --column":
    zip({ "o.npy": doubles(4, 3), "g.npy": of(">f8", 96, 4, 3) }),
});

const NOTHING =
  "ERR_LOGITS_COLUMN file: expected an array of numbers of shape (rows, classes), found ";
testFiles(NOTHING, {
  [`y: int32 [4], x: float64 [4]; ${BINARY}`]: zip({
    "y.npy": of("<i4", 16, 4),
    "x.npy": doubles(4),
  }),
  [`x: |V2 (raw bytes) [2, 3]; ${BFLOAT}`]: zip({
    "x.npy": of("|V2", 12, 2, 3),
  }),
});

testFiles(
  "ERR_LOGITS_COLUMN file: expected a zip archive of .npy files, found ",
  {
    "hello/there.txt; extract the files and give their paths": zip({
      "hello/there.txt": Buffer.from("hello"),
    }),
    "model/data.pkl, model/data/0; pickles are not supported, save the tensors as safetensors or .npy":
      zip({ "model/data.pkl": Buffer.of(1), "model/data/0": Buffer.of(1) }),
  },
);

const array = npy(new Float64Array(8), [2, 4]);
const room = array.length - 10;

/** Returns the .npy file with other bytes from byte 6 on. */
function changed(...bytes: number[]): Buffer {
  const copy = Buffer.from(array);
  copy.set(bytes, 6);
  return copy;
}

const header = (header: string) => npy(new Float64Array(8), { header });
const entries = (entries: Record<string, string>) => {
  const all = { descr: "'<f8'", fortran_order: "False", ...entries };
  const texts = Object.entries({ shape: "(2, 4)", ...all });
  return header(`{${texts.map(([key, text]) => `'${key}': ${text}`)}}`);
};

testFiles("ERR_INPUT_FORMAT file: header: expected ", {
  ...Object.fromEntries(
    ["1", "true", "None"].map((found) => [
      `True or False for fortran_order, found ${found}`,
      entries({ fortran_order: found }),
    ]),
  ),
  "at most 2^53 - 1 bytes of values for shape (1073741824, 1073741824) of float64, found 64":
    entries({ shape: "(1073741824, 1073741824)" }),
  "a type for descr, found 8": entries({ descr: "8" }),
  "a type for descr, found None": entries({ descr: "None" }),
  "version 1.0, 2.0 or 3.0, found 4.0": changed(4, 0),
  "version 1.0, 2.0 or 3.0, found 1.7": changed(1, 7),
  "version 1.0, 2.0 or 3.0, found 0.0": changed(0, 0),
  [`a header of at most ${room} bytes, found ${room + 1}: the file is truncated`]:
    changed(1, 0, room + 1, 0),
  "at least 12 bytes, found 11: the file is truncated": npy(
    new Float64Array(0),
    { version: 2 },
  ).subarray(0, 11),
  "a header of at most 1048576 bytes, found 1048577": Buffer.concat([
    ...[changed(2, 0, 1, 0, 0x10, 0), Buffer.alloc(2 ** 20 + 64)],
  ]),
  // A number in parentheses, other numbers than whole ones, no numbers.
  ...Object.fromEntries(
    [
      ...["(8)", "(8L)", "8", "(-2, -4)", "(2.0, 4)", "(-0, 4)", "(8e0,)"],
      ...["(9007199254740992,)", "(2, True)", "(2, 4,,)", "(,)", "[[2], 4]"],
    ].map((shape) => [
      `a shape of whole numbers from 0 to 2^53 - 1, found ${shape}`,
      entries({ shape }),
    ]),
  ),
});

test.each([
  "7",
  "(not Python",
  "[('descr', '<f8'), ('fortran_order', False), ('shape', (2, 4))]",
  "{'descr': '<f8', 'shape': (2, 4)}",
  "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4), 'shape': (2, 4)}",
  "{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 4)}",
  "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4), 'x': 1}",
  "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4)} 7",
  "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4)",
  "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4]}",
  "{'descr': '<f8', 'fortran_order': False, 'shape': ((2, 4))}",
  "{'descr': '\\u003cf8', 'fortran_order': False, 'shape': (2, 4)}",
  "{'descr': '<f8', 'fortran_order': False, 'sh\\x61pe': (2, 4)}",
  "{'descr\": '<f8', 'fortran_order': False, 'shape': (2, 4)}",
  "{'descr': '<f8\", 'fortran_order': False, 'shape': (2, 4)}",
  "{'descr': '<f8' 'fortran_order': False, 'shape': (2, 4)}",
  "{'descr': '<f8',\u00a0'fortran_order': False, 'shape': (2, 4)}",
])("npy header that is no dictionary of its keys: %s", async (text) => {
  writeFileSync(input, header(text));
  expect(await openRefusal(input)).toMatch(
    /^ERR_INPUT_FORMAT file: header: expected a dictionary with the keys descr, fortran_order and shape, found ".*" at character \d+/,
  );
});

test("the place of an error in a header, after the keys before it", async () => {
  writeFileSync(input, header("{'descr': '<f8', 'shape': 2 3}"));
  expect(await openRefusal(input)).toBe(
    `ERR_INPUT_FORMAT file: header: expected a dictionary with the keys descr, fortran_order and shape, found "'shape': 2 3}${" ".repeat(7)}" at character 17 after descr`,
  );
});

// Suffixes of Python 2 numbers and prefixes of its strings, inside the string.
test.each([
  ...["<f8L", "<f8u", "u<f8", "<F8", "f8", "|f8", "|i2", "=f8", "<f1", "<f8 "],
  "<f3",
])("type %s", async (descr) => {
  writeFileSync(input, entries({ descr: `'${descr}'` }));
  expect(await openRefusal(input)).toMatch(
    /^ERR_INPUT_UNSUPPORTED file: array: expected numbers of shape /,
  );
});

/** Returns a safetensors file of tensors a and b, the second from byte `start` on. */
function tensors(start: number): Buffer {
  const [a, b] = [0, start].map((from) => ({
    ...{ dtype: "F64", shape: [2, 4], data_offsets: [from, from + 64] },
  }));
  return safetensorsFile(JSON.stringify({ a, b }), Buffer.alloc(start + 64));
}

test.each(["F8_E4M3FNUZ", "F8", "toString"])("tensors of %s", async (dtype) => {
  const values = new Uint8Array(8);
  writeFileSync(input, safetensors({ a: { dtype, shape: [2, 4], values } }));
  expect(await openRefusal(input)).toMatch(
    `found a: ${dtype} [2, 4]; save the logits as an array of this shape`,
  );
});

testFiles(
  "ERR_INPUT_FORMAT file: tensor b: expected values from byte 64 to at ",
  {
    "most 136, found bytes 72 to 136": tensors(72),
    "most 64, found bytes 0 to 64": tensors(0),
  },
);
