import { InputFormatError, InputUnsupportedError } from "../errors.js";
import type { InputFile } from "./input-file.js";
import { readInput } from "./read-input.js";

/** Format of a file, detected from its first bytes. */
export type InputFormat = "arrow-file" | "arrow-stream" | "parquet";

const MAGICS: readonly [magic: string, format: InputFormat][] = [
  ["ARROW1", "arrow-file"],
  ["\xff\xff\xff\xff", "arrow-stream"],
  ["PAR1", "parquet"],
  // encrypted
  ["PARE", "parquet"],
];

/** Files that people pass, and that are not read. */
const OTHERS: readonly [magic: string, name: string][] = [
  ["FEA1", "a Feather version 1 file"],
  ["\x93NUMPY", "a NumPy file"],
  ["PK\x03\x04", "a zip archive"],
];

/**
 * Tells by a file's first bytes what it is; its name is not asked.
 * @throws InputUnsupportedError for another known format, InputFormatError for an unknown one
 */
export function inputFormat(
  file: InputFile,
  expected = "an Arrow, Parquet, NumPy or safetensors file",
): InputFormat {
  const head = new Uint8Array(Math.min(8, file.bytes));
  readInput(file, head, 0);
  const start = String.fromCharCode(...head);
  const known = MAGICS.find(([magic]) => start.startsWith(magic));
  if (known) return known[1];
  const other = OTHERS.find(([magic]) => start.startsWith(magic));
  if (other)
    throw new InputUnsupportedError(
      file.path,
      "first bytes",
      `expected ${expected}, found ${other[1]}`,
    );
  throw new InputFormatError(
    file.path,
    "first bytes",
    file.bytes === 0
      ? "the file is empty"
      : `expected ${expected}, found ${JSON.stringify(start)}`,
  );
}
