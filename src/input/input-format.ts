import { InputFormatError, InputUnsupportedError } from "../errors.js";
import type { OpenArrays } from "./arrays/stored-array.js";
import { type InputFile, readInput } from "./read-input.js";

/** Format of a file, detected from its first bytes. */
export type InputFormat =
  | "arrow-file"
  | "arrow-stream"
  | "parquet"
  | "npy"
  | "npz"
  | "safetensors";

const MAGICS: readonly [magic: string, at: number, format: InputFormat][] = [
  ["ARROW1", 0, "arrow-file"],
  ["\xff\xff\xff\xff", 0, "arrow-stream"],
  ["PAR1", 0, "parquet"],
  // An encrypted Parquet file.
  ["PARE", 0, "parquet"],
  ["\x93NUMPY", 0, "npy"],
  ["PK\x03\x04", 0, "npz"],
  // A JSON object after the uint64 header length, which is below 2^27 (100 MB).
  ["\0\0\0\0{", 4, "safetensors"],
];

/** Openers of array files, by format; imported on first use. */
const OPENERS: Partial<Record<InputFormat, () => Promise<OpenArrays>>> = {
  npy: async () => (await import("./arrays/npy.js")).openNpy,
  npz: async () => (await import("./arrays/npz.js")).openNpz,
  safetensors: async () =>
    (await import("./arrays/safetensors.js")).openSafetensors,
};

/** Returns the function that opens an array file; null for a format of columns. */
export async function arraysOpener(
  format: InputFormat,
): Promise<OpenArrays | null> {
  return (await OPENERS[format]?.()) ?? null;
}

/** Bytes needed to detect a format: a MATLAB file has the magic of HDF5 at byte 512. */
export const HEAD_BYTES = 520;

/**
 * Detects the format of a file from its first bytes. The file name affects only messages.
 * @throws InputUnsupportedError for another known format, InputFormatError for an unknown one
 */
export function inputFormat(
  file: InputFile,
  expected = "an Arrow, Parquet, NumPy or safetensors file",
): InputFormat {
  const head = new Uint8Array(Math.min(HEAD_BYTES, file.bytes));
  readInput(file, head, 0);
  const start = Buffer.from(head.buffer).toString("latin1");
  const match = MAGICS.find(([magic, at]) => start.startsWith(magic, at));
  if (match) return match[2];
  const where = "first bytes";
  const { path } = file;
  const empty = "the file is empty; check the program that wrote it";
  if (file.bytes === 0) throw new InputFormatError(path, where, empty);
  const description = unsupportedFormat(start, path);
  const text = `expected ${expected}, found ${description ?? JSON.stringify(start.slice(0, 8))}`;
  if (description) throw new InputUnsupportedError(path, where, text);
  throw new InputFormatError(path, where, `${text}; convert it to one of them`);
}

/** Describes an unsupported format, and what to do; null for an unknown one. `start`: the first bytes as latin1. */
function unsupportedFormat(start: string, path: string): string | null {
  // The text without a byte order mark and leading white space; null for binary data.
  const text = /[^\t\n\r -~\x80-\xff]/.test(start)
    ? null
    : start.replace(/^(?:\xef\xbb\xbf)?\s*/, "");
  const [, description = null] =
    OTHER_FORMATS.find(([marks, , at = 0]) =>
      marks.some((mark) =>
        typeof mark === "string"
          ? start.startsWith(mark, at)
          : text !== null && mark.test(text),
      ),
    ) ?? [];
  const isR = /\.(?:rds|rda|rdata)$/i.test(path);
  return isR && R_MAGICS.some((magic) => start.startsWith(magic))
    ? "an R data file; write the data frame with arrow::write_parquet in R"
    : description;
}

const AS_PARQUET = "convert it to Parquet";
const GZIP = "\x1f\x8b";
const R_MAGICS = [GZIP, "RDX", "RDA", "X\n", "A\n"];
const HDF5 = "\x89HDF\r\n\x1a\n";
const MATLAB =
  'a MATLAB file; save the array as .npy in Python: numpy.save("x.npy", scipy.io.loadmat(FILE)[NAME])';

function compressedWith(program: string, name = program): string {
  return `a file that is compressed with ${name}; decompress it: ${program} -dc FILE | softjac run - -o OUTPUT`;
}

/** Unsupported formats, the most specific first, with a description and advice. A RegExp matches the start of text files. */
const OTHER_FORMATS: readonly [
  marks: readonly (string | RegExp)[],
  description: string,
  at?: number,
][] = [
  [[GZIP], compressedWith("gzip")],
  [["\xfd7zXZ\0"], compressedWith("xz")],
  [["BZh"], compressedWith("bzip2")],
  [["\x28\xb5\x2f\xfd"], compressedWith("zstd", "Zstandard (zstd)")],
  [["\x04\x22\x4d\x18"], compressedWith("lz4", "LZ4")],
  [["ustar"], "a tar archive; extract its files: tar -xf FILE", 257],
  [["PK\x05\x06"], "an empty zip archive; check the program that wrote it"],
  [
    // Files of torch.save before version 1.6 start with this pickled number.
    ["\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9"],
    "a PyTorch file; save the tensors with safetensors.torch.save_file",
  ],
  [
    ["\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"],
    "a pickle; pickles are not supported; save the array with numpy.save",
  ],
  [["MATLAB "], MATLAB],
  [[HDF5], MATLAB, 512],
  [
    [HDF5],
    'an HDF5 file; save the array as .npy in Python: numpy.save("x.npy", h5py.File(FILE)[NAME][:])',
  ],
  [["ORC"], `an ORC file; ${AS_PARQUET}`],
  [["Obj\x01"], `an Avro file; ${AS_PARQUET}`],
  [
    ["FEA1"],
    `a Feather version 1 file; ${AS_PARQUET}: pandas.read_feather(FILE).to_parquet("x.parquet")`,
  ],
  [
    ["SQLite format 3\0"],
    `an SQLite database; ${AS_PARQUET}, one table in one file`,
  ],
  [
    ["version https://git-lfs"],
    "a Git LFS pointer; get the file that it stands for: git lfs pull",
  ],
  [
    [/^<[?!a-z]/i],
    "an HTML or XML page; check the download: servers send such pages for errors",
  ],
  [[/^\{.*\}\r?\n\{/], `JSON lines; ${AS_PARQUET}`],
  [[/^[[{]/], `JSON; ${AS_PARQUET}`],
  [
    [/[,;\t]/],
    `CSV or other text; ${AS_PARQUET}: duckdb -c "COPY 'FILE' TO 'x.parquet'"`,
  ],
];
