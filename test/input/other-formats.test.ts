import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

// First bytes as the programs write them, and what the message says of them.

const at = workDirectory();
const latin1 = (text: string) => Buffer.from(text, "latin1");
const zeros = (count: number) => "\0".repeat(count);
const EXPECTED =
  "first bytes: expected an Arrow, Parquet, NumPy or safetensors file, found ";
const AS_PARQUET = "convert it to Parquet";
const decompress = (program: string, called = program) =>
  `a file that is compressed with ${called}; decompress it: ${program} -dc FILE | softjac run - -o OUTPUT`;

const FORMATS: [name: string, bytes: Buffer, found: string][] = [
  ["x.npy.gz", gzipSync("x"), decompress("gzip")],
  ["x.xz", latin1("\xfd7zXZ\0\0\x04\xe6"), decompress("xz")],
  ["x.bz2", latin1("BZh91AY&SY\x9d"), decompress("bzip2")],
  [
    "x.arrow.zst",
    latin1("\x28\xb5\x2f\xfd\x04\x58"),
    decompress("zstd", "Zstandard (zstd)"),
  ],
  ["x.lz4", latin1("\x04\x22\x4d\x18\x64\x40"), decompress("lz4", "LZ4")],
  [
    "x.rds",
    gzipSync("X\n\0\0"),
    "an R data file; write the data frame with arrow::write_parquet in R",
  ],
  [
    "y.rda",
    latin1("RDX3\nX\n\0\0\0"),
    "an R data file; write the data frame with arrow::write_parquet in R",
  ],
  [
    "x.tar",
    latin1(`logits.npy${zeros(247)}ustar\x0000${zeros(100)}`),
    "a tar archive; extract its files: tar -xf FILE",
  ],
  [
    "x.zip",
    latin1(`PK\x05\x06${zeros(18)}`),
    "an empty zip archive; check the program that wrote it",
  ],
  [
    "old.pt",
    latin1("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M"),
    "a PyTorch file; save the tensors with safetensors.torch.save_file",
  ],
  [
    "x.pkl",
    latin1("\x80\x04\x95\x8a\0\0\0\0\0\0\0"),
    "a pickle; pickles are not supported; save the array with numpy.save",
  ],
  [
    "x.mat",
    latin1("MATLAB 5.0 MAT-file, Platform: GLNXA64"),
    'a MATLAB file; save the array as .npy in Python: numpy.save("x.npy", scipy.io.loadmat(FILE)[NAME])',
  ],
  [
    "user-block.mat",
    latin1(`${zeros(512)}\x89HDF\r\n\x1a\n${zeros(64)}`),
    'a MATLAB file; save the array as .npy in Python: numpy.save("x.npy", scipy.io.loadmat(FILE)[NAME])',
  ],
  [
    "x.h5",
    latin1(`\x89HDF\r\n\x1a\n${zeros(64)}`),
    'an HDF5 file; save the array as .npy in Python: numpy.save("x.npy", h5py.File(FILE)[NAME][:])',
  ],
  ["x.orc", latin1(`ORC${zeros(40)}`), `an ORC file; ${AS_PARQUET}`],
  [
    "x.avro",
    latin1("Obj\x01\x04\x14avro.codec"),
    `an Avro file; ${AS_PARQUET}`,
  ],
  [
    "x.feather",
    latin1(`FEA1${zeros(40)}`),
    `a Feather version 1 file; ${AS_PARQUET}: pandas.read_feather(FILE).to_parquet("x.parquet")`,
  ],
  [
    "x.db",
    latin1(`SQLite format 3\0${zeros(84)}`),
    `an SQLite database; ${AS_PARQUET}, one table in one file`,
  ],
  [
    "x.npy",
    latin1("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"),
    "a Git LFS pointer; get the file that it stands for: git lfs pull",
  ],
  [
    "x.parquet",
    latin1("\n<!DOCTYPE html>\n<html><body>403 Forbidden"),
    "an HTML or XML page; check the download: servers send such pages for errors",
  ],
  [
    "x.xml",
    latin1('<?xml version="1.0"?><Error><Code>NoSuchKey</Code>'),
    "an HTML or XML page; check the download: servers send such pages for errors",
  ],
  [
    "x.jsonl",
    latin1('{"logits": [1, 2]}\n{"logits": [3, 4]}\n'),
    `JSON lines; ${AS_PARQUET}`,
  ],
  ["x.json", latin1("\xef\xbb\xbf[[1, 2],\n[3, 4]]"), `JSON; ${AS_PARQUET}`],
  [
    "x.csv",
    latin1("row,logit_0\r\n0,1.5\r\n"),
    `CSV or other text; ${AS_PARQUET}: duckdb -c "COPY 'FILE' TO 'x.parquet'"`,
  ],
  [
    "x.tsv",
    latin1("gr\xc3\xb6\xc3\x9fe\tz\n1\t2\n"),
    `CSV or other text; ${AS_PARQUET}: duckdb -c "COPY 'FILE' TO 'x.parquet'"`,
  ],
];

test.each(FORMATS)(
  "%s is named, with what to do",
  async (name, bytes, found) => {
    const input = at(name);
    writeFileSync(input, bytes);
    for (const call of [
      built.run({ input, output: at("out.arrow") }),
      built.inspect({ input }),
    ])
      await expect(call).rejects.toThrow(
        expect.objectContaining({
          code: "ERR_INPUT_UNSUPPORTED",
          message: `${input}: ${EXPECTED}${found}`,
        }),
      );
  },
);

test.each([
  [
    "nothing",
    Buffer.alloc(0),
    "first bytes: the file is empty; check the program that wrote it",
  ],
  [
    "numbers",
    Buffer.from(Float64Array.of(1, 2, 3).buffer),
    `${EXPECTED}"\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000ð?"; convert it to one of them`,
  ],
])("a file of %s", async (name, bytes, message) => {
  const input = at(name);
  writeFileSync(input, bytes);
  await expect(built.inspect({ input })).rejects.toThrow(
    expect.objectContaining({
      code: "ERR_INPUT_FORMAT",
      message: `${input}: ${message}`,
    }),
  );
});
