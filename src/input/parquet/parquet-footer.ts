import { InputFormatError, InputUnsupportedError } from "../../errors.js";
import type { InputFile } from "../input-file.js";
import { checkLimit } from "../limits.js";
import { readInput } from "../read-input.js";
import { type ColumnChunk, fileMetadata } from "./file-metadata.js";

// A Parquet file (parquet-format, README.md, "File format"):
//
//   PAR1 | column chunks of all row groups | footer | int32 footer length | PAR1          encrypted: PARE for PAR1

const MAGIC = "PAR1";
const ENCRYPTED = "PARE";
const MAGIC_BYTES = 4;
const TAIL_BYTES = 8;

export interface ParquetFooter {
  bytes: Uint8Array;
  /** Where it starts in the file. */
  start: number;
  /** Column chunks by row group; none where the footer is damaged: a run then refuses the file. */
  rowGroups: ColumnChunk[][];
  /** Rows of each row group. */
  groupRows: number[];
}

/**
 * The footer of a file that starts as Parquet files do: undecoded, but inside the file.
 * @throws InputFormatError where the file is cut; InputUnsupportedError where it is encrypted; IoError
 */
export function readFooter(file: InputFile): ParquetFooter {
  const { path, bytes } = file;
  const least = MAGIC_BYTES + 1 + TAIL_BYTES;
  if (bytes < least)
    throw new InputFormatError(
      path,
      "file",
      `expected at least ${least} bytes, found ${bytes}: the file is truncated`,
    );
  const magic = textAt(file, bytes - MAGIC_BYTES);
  if (magic === ENCRYPTED || textAt(file, 0) === ENCRYPTED)
    throw encrypted(path, "the footer is");
  if (magic !== MAGIC)
    throw new InputFormatError(
      path,
      "last bytes",
      `the file is truncated, or its writer did not close it (it ends with ${JSON.stringify(magic)} instead of "${MAGIC}")`,
    );
  const tail = new DataView(new ArrayBuffer(TAIL_BYTES));
  readInput(file, new Uint8Array(tail.buffer), bytes - TAIL_BYTES);
  const length = tail.getUint32(0, true);
  const room = bytes - MAGIC_BYTES - TAIL_BYTES;
  if (length < 1 || length > room)
    throw new InputFormatError(
      path,
      "footer",
      `expected a footer of 1 to ${room} bytes, found ${length}`,
    );
  checkLimit(file, "footer", "maxMetadataBytes", "bytes of metadata", length);
  const footer = new Uint8Array(length);
  const start = bytes - TAIL_BYTES - length;
  readInput(file, footer, start);
  const metadata = fileMetadata(footer);
  for (const [k, rows] of metadata?.groupRows.entries() ?? [])
    checkLimit(file, `row group ${k}`, "maxBatchRows", "rows in a batch", rows);
  if (metadata?.encrypted) throw encrypted(path, "columns are");
  return {
    bytes: footer,
    start,
    rowGroups: metadata?.rowGroups ?? [],
    groupRows: metadata?.groupRows ?? [],
  };
}

function encrypted(path: string, found: string): InputUnsupportedError {
  return new InputUnsupportedError(
    path,
    "footer",
    `encrypted Parquet files are not supported (${found} encrypted)`,
  );
}

function textAt(file: InputFile, position: number): string {
  const bytes = new Uint8Array(MAGIC_BYTES);
  readInput(file, bytes, position);
  return String.fromCharCode(...bytes);
}
