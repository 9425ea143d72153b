/** Bytes at the start of a file that show its format: HDF5 in a MATLAB file has its magic at byte 512. */
export const HEAD_BYTES = 520;

/** A format that is not read. */
interface OtherFormat {
  /** The bytes that files of the format have, as latin1, and their place; default: 0. */
  magic?: readonly string[];
  at?: number;
  /** Matches the first bytes of text formats. */
  text?: RegExp;
  /** Matches the name of the file, where the bytes do not suffice. */
  name?: RegExp;
  called: string;
  advice: string;
}

const AS_PARQUET = "convert it to Parquet";
const GZIP = "\x1f\x8b";
const HDF5 = "\x89HDF\r\n\x1a\n";
const MATLAB = {
  called: "a MATLAB file",
  advice:
    'save the array as .npy in Python: numpy.save("x.npy", scipy.io.loadmat(FILE)[NAME])',
};

function compressed(magic: string, program: string, called = program) {
  return {
    magic: [magic],
    called: `a file that is compressed with ${called}`,
    advice: `decompress it: ${program} -dc FILE | softjac run - -o OUTPUT`,
  };
}

/** Formats that people have, the more specific first. */
const OTHER_FORMATS: readonly OtherFormat[] = [
  {
    magic: [GZIP, "RDX", "RDA", "X\n", "A\n"],
    name: /\.(?:rds|rda|rdata)$/i,
    called: "an R data file",
    advice: "write the data frame with arrow::write_parquet in R",
  },
  compressed(GZIP, "gzip"),
  compressed("\xfd7zXZ\0", "xz"),
  compressed("BZh", "bzip2"),
  compressed("\x28\xb5\x2f\xfd", "zstd", "Zstandard (zstd)"),
  compressed("\x04\x22\x4d\x18", "lz4", "LZ4"),
  {
    magic: ["ustar"],
    at: 257,
    called: "a tar archive",
    advice: "extract its files: tar -xf FILE",
  },
  {
    magic: ["PK\x05\x06"],
    called: "an empty zip archive",
    advice: "check the program that wrote it",
  },
  {
    // The pickled number with which torch.save started before version 1.6.
    magic: ["\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9"],
    called: "a PyTorch file",
    advice: "save the tensors with safetensors.torch.save_file",
  },
  {
    magic: ["\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"],
    called: "a pickle",
    advice: "pickles are not supported; save the array with numpy.save",
  },
  { magic: ["MATLAB "], ...MATLAB },
  { magic: [HDF5], at: 512, ...MATLAB },
  {
    magic: [HDF5],
    called: "an HDF5 file",
    advice:
      'save the array as .npy in Python: numpy.save("x.npy", h5py.File(FILE)[NAME][:])',
  },
  { magic: ["ORC"], called: "an ORC file", advice: AS_PARQUET },
  { magic: ["Obj\x01"], called: "an Avro file", advice: AS_PARQUET },
  {
    magic: ["FEA1"],
    called: "a Feather version 1 file",
    advice: `${AS_PARQUET}: pandas.read_feather(FILE).to_parquet("x.parquet")`,
  },
  {
    magic: ["SQLite format 3\0"],
    called: "an SQLite database",
    advice: `${AS_PARQUET}, one table in one file`,
  },
  {
    magic: ["version https://git-lfs"],
    called: "a Git LFS pointer",
    advice: "get the file that it stands for: git lfs pull",
  },
  {
    text: /^<[?!a-z]/i,
    called: "an HTML or XML page",
    advice: "check the download: servers send such pages for errors",
  },
  { text: /^\{.*\}\r?\n\{/, called: "JSON lines", advice: AS_PARQUET },
  { text: /^[[{]/, called: "JSON", advice: AS_PARQUET },
  {
    text: /[,;\t]/,
    called: "CSV or other text",
    advice: `${AS_PARQUET}: duckdb -c "COPY 'FILE' TO 'x.parquet'"`,
  },
];

/**
 * Describes a format that is not read, and what to do; null for a format that is not known.
 * @param start the first bytes, as latin1
 */
export function unsupportedFormat(start: string, path: string): string | null {
  // Without a byte order mark and white space; null where it has control characters.
  const text = /[^\t\n\r -~\x80-\xff]/.test(start)
    ? null
    : start.replace(/^(?:\xef\xbb\xbf)?\s*/, "");
  const found = OTHER_FORMATS.find(
    ({ magic, at = 0, text: pattern, name = /^/ }) =>
      name.test(path) &&
      (magic
        ? magic.some((bytes) => start.startsWith(bytes, at))
        : text !== null && pattern?.test(text)),
  );
  return found ? `${found.called}; ${found.advice}` : null;
}
