import { expect, test } from "vitest";
import { softjacIn } from "../cli/support.js";
import { npy, safetensors, zip } from "../support/array-files.js";
import type { Columns } from "../support/arrow-columns.js";
import { inputRuns, rows } from "../support/input-runs.js";
import { optionsOf } from "../support/options-of.js";
import { pairsOf } from "../support/pairs-of.js";

// Messages state what is wrong with the type, shape, size or choice of an input and, after the last semicolon, what to do.
// Messages in docs/inputs.md are tested in test/system/interop/inputs-table.test.ts, those about arrays in arrays/refused.test.ts.

const { at, write, refused } = inputRuns();
const cwd = at(".");

type Column = Columns[string];
const pairs = rows("1 2; 3 4");
const margins: Column = [[0.5, -2], "float64"];
const logits: Column = [pairs, "fixed_size_list<float64>[2]"];
const columns: Columns = {
  logits,
  text: [["a", "b"], "utf8"],
  whole: [[1, 2n ** 53n + 1n], "int64"],
  wide: [rows("1 2 3; 4 5 6"), "fixed_size_list<float64>[3]"],
  ids: [pairs, "list<int32>"],
  facts: [[[["k", 1]], []], "map<utf8, int32>"],
};
const withLabel = (values: unknown[], type: Column[1]): Columns => ({
  logits: [values.map(() => [1, 2]), "list<float64>"],
  label: [values, type],
});
const doubles = (...shape: number[]) =>
  npy(new Float64Array(shape.reduce((a, b) => a * b, 1)), shape);
const complex = { dtype: "C64", shape: [2, 1], values: new Uint8Array(16) };

/** Some messages name a row of the second record batch of three rows. */
const FILES: Record<string, Columns | Buffer> = {
  columns,
  fields: { o: [[{ a: 1, b: "2" }], "struct<a: float64, b: utf8>"] },
  soft: withLabel(rows("0 1; 0 1; 1 0; 0 1; 1 0.5"), "list<float32>"),
  strings: withLabel(["a", "b"], "utf8"),
  "string-lists": withLabel([["a"], ["b"]], "list<utf8>"),
  large: { a: [[2n ** 53n + 1n], "int64"], b: [[1], "float64"] },
  classless: { z: [[[]], "fixed_size_list<float64>[0]"] },
  decimals: { logits: [rows("1; 1; 1; 1 2"), "list<decimal(4,1)>"] },
  margins: { z: margins },
  logits: { z: logits },
  ragged: { z: [rows("1; 1; 1; 1 2"), "list<float64>"] },
  short: { z: [[[1], []], "list<float64>"] },
  several: { y: margins, z: margins },
  others: {
    text: [["a"], "utf8"],
    flag: [[true], "bool"],
    pair: [[{ z: 1 }], "struct<z: float64>"],
  },
  "(6,)": doubles(6),
  "(2,3)": doubles(2, 3),
  "(1,2,3,1)": doubles(1, 2, 3, 1),
  archive: zip({ "o.npy": doubles(2, 3) }),
  complex: safetensors({ c: complex }),
  labels: zip({ "y.npy": npy(new Int32Array(4)) }),
};

const COLUMNS =
  "the file has logits: fixed_size_list<float64>[2], text: utf8, whole: int64, wide: fixed_size_list<float64>[3], ids: list<int32>, facts: map<utf8, int32>";
const LISTS = "expected lists, or a struct, of numbers, found";
const WRITE_LISTS = "write the logits as lists of numbers";
const ONE_NUMBER = "--binary: expected margins, one number per row, found";
const MARGINS =
  "--binary: expected margins of shape (rows,) or (rows, 1), found";
const USE_BINARY =
  "if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)";
const OMIT_BINARY = "omit --binary if these are logits";
const CLASS_NUMBER = "write one class number from 0 for each row";
const LABEL_KINDS =
  "expected class numbers, class names or one-hot rows for --label, found";
const ONE_FLOAT = "write one number per class for each row";
const LABEL = "--column logits --emit cross_entropy --label";

/** Files and options of runs that are refused, each followed by its message. */
const TRANSCRIPT = `
columns
several columns of floats in lists: logits: fixed_size_list<float64>[2], wide: fixed_size_list<float64>[3]; choose one with --column
columns --column logit
--column logit: no such column; ${COLUMNS}
columns --column text
column text: ${LISTS} utf8; ${WRITE_LISTS}
columns --columns w*,t*
column wide: expected numbers (it matches w*,t*), found fixed_size_list<float64>[3]; --columns takes one column of numbers per class
columns --columns whole,whole
--columns whole,whole: two columns are named whole; give each class a name of its own
fields --column o
column o: ${LISTS} struct<a: float64, b: utf8>; ${WRITE_LISTS}
columns --column wide --keep logits,none
--keep none: no such column; ${COLUMNS}
columns ${LABEL} facts
column facts: ${LABEL_KINDS} map<utf8, int32>; ${CLASS_NUMBER}
columns ${LABEL} y.npy
--label y.npy: no such column; ${COLUMNS}; a file of labels can only be used with files of arrays
columns --column logits --emit jvp --tangent wide
column wide: expected 2 values in a row of 2 classes, found 3; ${ONE_FLOAT}
columns --column logits --emit vjp --cotangent text
column text: expected lists of numbers for --cotangent, found utf8; ${ONE_FLOAT}
soft ${LABEL} label
column label, row 4: expected a class number or a one-hot row (one 1 among zeros); convert other rows with argmax
strings ${LABEL} label
column label has strings; give the names of the classes, in the order of the logits, with --class-names a,b,c
string-lists ${LABEL} label
column label: ${LABEL_KINDS} list<utf8>; ${CLASS_NUMBER}
large --columns a,b
record batch 0, column a: expected whole numbers that float64 holds exactly, found 9007199254740993 at value 0; write smaller numbers, or floats
classless
column z: expected at least 1 class, found lists of length 0; check the program that wrote them
decimals
column logits, row 3: expected 1 values as in the first row, found 2; pad the lists to one length: --pad masks the classes that a row of logits lacks, as do nulls with --null-logit mask
margins
expected a column of floats in lists, found z: float64; ${USE_BINARY}
margins --column z
column z: ${LISTS} float64; ${USE_BINARY}
logits --column z --binary
column z: ${ONE_NUMBER} fixed_size_list<float64>[2]; ${OMIT_BINARY}
ragged --binary
column z, row 3: ${ONE_NUMBER} 2; ${OMIT_BINARY}
short --binary
column z, row 1: ${ONE_NUMBER} 0; write null for rows without one
several --binary
several columns of floats: y: float64, z: float64; choose one with --column
others --binary
--binary: expected a column of one number per row, found text: utf8, flag: bool, pair: struct<z: float64>; ${OMIT_BINARY}
margins --columns z --binary
--columns z: --binary reads one column of margins; choose it with --column
logits --class-axis 0
--class-axis 0: only arrays of .npy, .npz and safetensors files have axes; omit the option
(2,3) --binary
array: ${MARGINS} float64 [2, 3]; ${OMIT_BINARY}
(1,2,3,1) --binary
array: ${MARGINS} float64 [1, 2, 3, 1]; ${OMIT_BINARY}
(6,) --binary --class-axis 0
array: --class-axis 0: expected an array of two or more dimensions, found float64 [6]
(2,3) --class-axis 2
array: --class-axis 2: expected an axis from -2 to 1, found float64 [2, 3]
archive --binary
expected an array of numbers of shape (rows,) or (rows, 1), found o: float64 [2, 3]; ${OMIT_BINARY}
complex --column c
array c: expected numbers of shape (rows, classes), found c: C64 [2, 1]; save the real part, x.real
labels
expected an array of numbers of shape (rows, classes), found y: int32 [4]; save the logits as an array of this shape
`;

test.each(pairsOf(TRANSCRIPT))("%s: %s", async (line, message) => {
  const [file = "", ...words] = line.split(" ");
  write(FILES[file] as Columns | Buffer, 3);
  // Each gives exit code 65.
  const code =
    /^ERR_(LOGITS_COLUMN|INPUT_UNSUPPORTED|INPUT_FORMAT|RAGGED_ROW)$/;
  const options = await optionsOf(words);
  await refused(options, message, expect.stringMatching(code));
});

test("show of an input", () => {
  write(doubles(2, 2));
  expect(softjacIn({ cwd }, "show", "in", "--row", "0")).toMatchObject({
    status: 65,
    stderr:
      "softjac: in: first bytes: expected an Arrow IPC file or stream, found a file of the format npy; give a file that softjac run wrote\n",
  });
});
