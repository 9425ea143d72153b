import { InputFormatError, InputUnsupportedError } from "../errors.js";
import type { OpenArrays } from "./arrays/stored-array.js";
import type { InputFile } from "./input-file.js";
import { HEAD_BYTES, unsupportedFormat } from "./other-formats.js";
import { readInput } from "./read-input.js";

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
  // encrypted
  ["PARE", 0, "parquet"],
  ["\x93NUMPY", 0, "npy"],
  ["PK\x03\x04", 0, "npz"],
  // A JSON object after the length of the header in 64 bits, of which 27 are enough.
  ["\0\0\0\0{", 4, "safetensors"],
];

/**
 * Detects the format of a file from its first bytes. Only messages depend on its name.
 * @throws InputUnsupportedError for another known format, InputFormatError for an unknown one
 */
export function inputFormat(
  file: InputFile,
  expected = "an Arrow, Parquet, NumPy or safetensors file",
): InputFormat {
  const head = new Uint8Array(Math.min(HEAD_BYTES, file.bytes));
  readInput(file, head, 0);
  const start = Buffer.from(head.buffer).toString("latin1");
  const known = MAGICS.find(([magic, at]) => start.startsWith(magic, at));
  if (known) return known[2];
  if (file.bytes === 0)
    throw new InputFormatError(
      file.path,
      "first bytes",
      "the file is empty; check the program that wrote it",
    );
  const other = unsupportedFormat(start, file.path);
  if (other)
    throw new InputUnsupportedError(
      file.path,
      "first bytes",
      `expected ${expected}, found ${other}`,
    );
  throw new InputFormatError(
    file.path,
    "first bytes",
    `expected ${expected}, found ${JSON.stringify(start.slice(0, 8))}; convert it to one of them`,
  );
}

/** Functions that open files of arrays, by format; each is imported when a file needs it. */
const OPENERS: Partial<Record<InputFormat, () => Promise<OpenArrays>>> = {
  npy: async () => (await import("./arrays/npy.js")).openNpy,
  npz: async () => (await import("./arrays/npz.js")).openNpz,
  safetensors: async () =>
    (await import("./arrays/safetensors.js")).openSafetensors,
};

/** Returns the function that opens a file of arrays; null for a format of columns. */
export async function arraysOpener(
  format: InputFormat,
): Promise<OpenArrays | null> {
  return (await OPENERS[format]?.()) ?? null;
}
