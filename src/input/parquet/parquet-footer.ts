import type { ArrowType, Field } from "../../arrow/field.js";
import { MalformedFlatbuffer } from "../../arrow/flatbuffer.js";
import { InputFormatError, InputUnsupportedError } from "../../errors.js";
import { checkLimit, OverLimit } from "../../io/limits.js";
import { MalformedThrift } from "../../io/thrift.js";
import {
  type FileMetadata,
  fileMetadata,
} from "../../tasks/parquet-metadata.js";
import { decodeMessage } from "../arrow-metadata.js";
import { type InputFile, readInput } from "../read-input.js";
import { schemaField } from "./schema-fields.js";

// A Parquet file (parquet-format, README.md, "File format"):
//
//   PAR1 | column chunks of all row groups | footer | int32 footer length | PAR1          encrypted: PARE for PAR1

const MAGIC = "PAR1";
const ENCRYPTED = "PARE";
const MAGIC_BYTES = 4;
const TAIL_BYTES = 8;

/** Advice for a damaged file. */
export const WRITE_AGAIN = "copy or write the file again";

export interface ParquetFooter {
  /** Its position in the file. */
  start: number;
  metadata: FileMetadata;
  /** Columns, with the types of the Arrow schema where it has the same columns. */
  fields: Field[];
  /** Columns of the Arrow schema; null where the footer has none, or one of other columns. */
  arrowFields: Field[] | null;
}

/**
 * Reads and decodes the footer of a file that starts as Parquet files do.
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function readFooter(file: InputFile): ParquetFooter {
  const { path, bytes } = file;
  const least = MAGIC_BYTES + 1 + TAIL_BYTES;
  if (bytes < least)
    throw new InputFormatError(
      path,
      "file",
      `expected at least ${least} bytes, found ${bytes}: the file is truncated; ${WRITE_AGAIN}`,
    );
  const magic = textAt(file, bytes - MAGIC_BYTES);
  if (magic === ENCRYPTED || textAt(file, 0) === ENCRYPTED)
    throw encrypted(path, "the footer is");
  if (magic !== MAGIC)
    throw new InputFormatError(
      path,
      "last bytes",
      `the file is truncated, or its writer did not close it (it ends with ${JSON.stringify(magic)} instead of "${MAGIC}"); ${WRITE_AGAIN}`,
    );
  const tail = new DataView(new ArrayBuffer(TAIL_BYTES));
  readInput(file, new Uint8Array(tail.buffer), bytes - TAIL_BYTES);
  const length = tail.getUint32(0, true);
  const room = bytes - MAGIC_BYTES - TAIL_BYTES;
  if (length < 1 || length > room)
    throw new InputFormatError(
      path,
      "footer",
      `expected a footer of 1 to ${room} bytes, found ${length}; ${WRITE_AGAIN}`,
    );
  checkLimit(file, "footer", "maxMetadataBytes", "bytes of metadata", length);
  const footer = new Uint8Array(length);
  const start = bytes - TAIL_BYTES - length;
  readInput(file, footer, start);
  const metadata = decoding(path, () => fileMetadata(footer));
  if (metadata.encrypted) throw encrypted(path, "columns are");
  for (const [k, { rows }] of metadata.rowGroups.entries())
    checkLimit(file, `row group ${k}`, "maxBatchRows", "rows in a batch", rows);
  const own = metadata.schema.children.map(schemaField);
  checkColumns(file, own);
  const found = arrowFields(metadata.arrowSchema ?? "");
  const typed = found && haveSameFields(own, found) ? found : null;
  return { start, metadata, fields: typed ?? own, arrowFields: typed };
}

function decoding(path: string, decode: () => FileMetadata): FileMetadata {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof MalformedThrift)) throw error;
    throw new InputFormatError(
      path,
      "footer",
      `invalid metadata: ${error.message}; ${WRITE_AGAIN}`,
      { cause: error },
    );
  }
}

/** @throws InputUnsupportedError where a schema has more columns, or more in one another, than is allowed */
function checkColumns(file: InputFile, fields: Field[]): void {
  let columns = 0;
  const visit = (field: Field, depth: number) => {
    checkLimit(file, "schema", "maxNesting", "levels of nested columns", depth);
    checkLimit(file, "schema", "maxColumns", "columns", ++columns);
    for (const child of field.children) visit(child, depth + 1);
  };
  for (const field of fields) visit(field, 0);
}

/** Whether fields have the same children; fields of structs, and columns, also the same names. */
function haveSameFields(own: Field[], other: Field[]): boolean {
  return (
    own.length === other.length &&
    own.every((field, k) => {
      const found = other[k] as Field;
      return (
        found.name === field.name &&
        (field.type.kind === "Struct"
          ? haveSameFields(field.children, found.children)
          : found.children.length === field.children.length)
      );
    })
  );
}

function encrypted(path: string, found: string): InputUnsupportedError {
  return new InputUnsupportedError(
    path,
    "footer",
    `encrypted Parquet files are not supported (${found} encrypted); write the file without encryption`,
  );
}

function textAt(file: InputFile, position: number): string {
  const bytes = new Uint8Array(MAGIC_BYTES);
  readInput(file, bytes, position);
  return String.fromCharCode(...bytes);
}

// Writers that know Arrow leave its schema in the footer, as base64 under the key ARROW:schema (a message of an Arrow
// stream; Schema.fbs, Message.fbs). Readers give columns the types of that schema where they can. Dictionaries and views
// become the types of their values: in Parquet a dictionary is an encoding and differs from row group to row group, and
// views have buffers that vary in number.

const PLAIN: Partial<Record<ArrowType["kind"], ArrowType>> = {
  BinaryView: { kind: "Binary" },
  Utf8View: { kind: "Utf8" },
  ListView: { kind: "List" },
  LargeListView: { kind: "LargeList" },
};

/** Returns the columns of the Arrow schema in a footer; null if it is not valid, or has more columns than are allowed. */
function arrowFields(text: string): Field[] | null {
  const bytes = Buffer.from(text, "base64");
  try {
    const start = bytes.readUInt32LE(0) === 0xffffffff ? 8 : 4;
    const { schema } = decodeMessage(bytes.subarray(start));
    return schema?.fields.map(valueField) ?? null;
  } catch (error) {
    const known = [RangeError, MalformedFlatbuffer, OverLimit];
    if (known.some((kind) => error instanceof kind)) return null;
    throw error;
  }
}

function valueField(field: Field): Field {
  return {
    ...field,
    type: PLAIN[field.type.kind] ?? field.type,
    dictionary: null,
    children: field.children.map(valueField),
    // The metadata of a dictionary describes it, such as the values of an enumeration.
    metadata: field.dictionary ? [] : field.metadata,
  };
}
