import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { inputRuns } from "../support/input-runs.js";
import { openRefusal } from "../support/opened-input.js";

// Messages about files of other formats, by their first bytes.

const { at, refusal } = inputRuns();
const zeros = (count: number) => "\0".repeat(count);
const AS_PARQUET = "convert it to Parquet";
const decompress = (program: string, name = program) =>
  `a file that is compressed with ${name}; decompress it: ${program} -dc FILE | softjac run - -o OUTPUT`;
const R = "an R data file; write the data frame with arrow::write_parquet in R";
const PAGE =
  "an HTML or XML page; check the download: servers send such pages for errors";
const MATLAB =
  'a MATLAB file; save the array as .npy in Python: numpy.save("x.npy", scipy.io.loadmat(FILE)[NAME])';
const CSV = `CSV or other text; ${AS_PARQUET}: duckdb -c "COPY 'FILE' TO 'x.parquet'"`;
const gzip = (text: string) => gzipSync(text).toString("latin1");

/** First bytes as latin1, and the description, by name. */
const FORMATS: Record<string, [bytes: string, found: string]> = {
  "x.npy.gz": [gzip("x"), decompress("gzip")],
  "x.xz": ["\xfd7zXZ\0\0\x04\xe6", decompress("xz")],
  "x.bz2": ["BZh91AY&SY\x9d", decompress("bzip2")],
  "x.zst": ["\x28\xb5\x2f\xfd\x04", decompress("zstd", "Zstandard (zstd)")],
  "x.lz4": ["\x04\x22\x4d\x18\x64\x40", decompress("lz4", "LZ4")],
  "x.rds": [gzip("X\n\0\0"), R],
  "y.rda": ["RDX3\nX\n\0\0\0", R],
  "x.RData": ["A\n2\n", R],
  "z.rda": ["RDA3\n", R],
  "y.rds": ["X\n\0\0", R],
  "x.tar": [
    `logits.npy${zeros(247)}ustar\x0000${zeros(100)}`,
    "a tar archive; extract its files: tar -xf FILE",
  ],
  "x.zip": [
    `PK\x05\x06${zeros(18)}`,
    "an empty zip archive; check the program that wrote it",
  ],
  "old.pt": [
    "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M",
    "a PyTorch file; save the tensors with safetensors.torch.save_file",
  ],
  ...Object.fromEntries(
    [2, 3, 4, 5].map((version) => [
      `x-${version}.pkl`,
      [
        `\x80${String.fromCharCode(version)}\x95\x8a\0\0`,
        "a pickle; pickles are not supported; save the array with numpy.save",
      ],
    ]),
  ),
  "x.mat": ["MATLAB 5.0 MAT-file, Platform: GLNXA64", MATLAB],
  "user-block.mat": [`${zeros(512)}\x89HDF\r\n\x1a\n${zeros(64)}`, MATLAB],
  "x.h5": [
    `\x89HDF\r\n\x1a\n${zeros(64)}`,
    'an HDF5 file; save the array as .npy in Python: numpy.save("x.npy", h5py.File(FILE)[NAME][:])',
  ],
  "x.orc": [`ORC${zeros(40)}`, `an ORC file; ${AS_PARQUET}`],
  "x.avro": ["Obj\x01\x04\x14avro.codec", `an Avro file; ${AS_PARQUET}`],
  "x.feather": [
    `FEA1${zeros(40)}`,
    `a Feather version 1 file; ${AS_PARQUET}: pandas.read_feather(FILE).to_parquet("x.parquet")`,
  ],
  "x.db": [
    `SQLite format 3\0${zeros(84)}`,
    `an SQLite database; ${AS_PARQUET}, one table in one file`,
  ],
  "x.npy": [
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
    "a Git LFS pointer; get the file that it stands for: git lfs pull",
  ],
  "x.parquet": ["\n<!DOCTYPE html>\n<html><body>403 Forbidden", PAGE],
  "x.xml": ['<?xml version="1.0"?><Error><Code>NoSuchKey</Code>', PAGE],
  "x.jsonl": [
    '{"logits": [1, 2]}\n{"logits": [3, 4]}\n',
    `JSON lines; ${AS_PARQUET}`,
  ],
  "x.json": ["\xef\xbb\xbf[[1, 2],\n[3, 4]]", `JSON; ${AS_PARQUET}`],
  "x.csv": ["row,logit_0\r\n0,1.5\r\n", CSV],
  "x.tsv": ["gr\xc3\xb6\xc3\x9fe\tz\n1\t2\n", CSV],
};

test.each(Object.entries(FORMATS))("%s", async (name, [bytes, found]) => {
  const input = at(name);
  writeFileSync(input, bytes, "latin1");
  const text = `first bytes: expected an Arrow, Parquet, NumPy or safetensors file, found ${found}`;
  expect(await refusal(input)).toBe(`ERR_INPUT_UNSUPPORTED file: ${text}`);
  await expect(built.inspect({ input })).rejects.toThrow(text);
});

test.each([
  ["", "the file is empty; check the program that wrote it"],
  [
    `${zeros(6)}\xf0?${zeros(16)}`,
    'expected an Arrow, Parquet, NumPy or safetensors file, found "\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000ð?"; convert it to one of them',
  ],
])("unknown bytes %j", async (bytes, text) => {
  writeFileSync(at("unknown"), bytes, "latin1");
  expect(await openRefusal(at("unknown"))).toBe(
    `ERR_INPUT_FORMAT file: first bytes: ${text}`,
  );
});
