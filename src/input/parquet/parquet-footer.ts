import {
  type ArrowType,
  arrowTypeOf,
  type Field,
  type NumberType,
  plainField,
} from "../../arrow/field.js";
import { MalformedFlatbuffer } from "../../arrow/flatbuffer.js";
import { InputFormatError, InputUnsupportedError } from "../../errors.js";
import { checkLimit, OverLimit } from "../../io/limits.js";
import { MalformedThrift } from "../../io/thrift.js";
import {
  type FileMetadata,
  fileMetadata,
  logicalKind,
  OPTIONAL,
  REPEATED,
  type SchemaNode,
} from "../../tasks/parquet-metadata.js";
import { decodeMessage } from "../arrow-metadata.js";
import { type InputFile, inputReader } from "../read-input.js";

// A Parquet file (parquet-format, README.md, "File format"):
//
//   PAR1 | column chunks of all row groups | footer | int32 footer length | PAR1          (PARE instead of PAR1: encrypted)

const MAGIC = "PAR1";
const ENCRYPTED = "PARE";
const HEAD_BYTES = 4;
const TAIL_BYTES = 8;

export const WRITE_AGAIN = "copy or write the file again";

export interface ParquetFooter {
  /** Byte offset of the footer in the file. */
  start: number;
  metadata: FileMetadata;
  /** Columns, with Arrow types from the Arrow schema if there is one of the same columns. */
  fields: Field[];
  /** Columns of the Arrow schema; null if the footer has none, or one of other columns. */
  arrowFields: Field[] | null;
}

/**
 * Reads and checks the footer of a Parquet file.
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function readFooter(file: InputFile): ParquetFooter {
  const { path, bytes } = file;
  const fail = (where: string, text: string, options?: ErrorOptions): never => {
    const advised = `${text}; ${WRITE_AGAIN}`;
    throw new InputFormatError(path, where, advised, options);
  };
  const room = bytes - HEAD_BYTES - TAIL_BYTES;
  if (room < 1)
    fail(
      "file",
      `expected at least ${bytes - room + 1} bytes, found ${bytes}: the file is truncated`,
    );
  const read = inputReader(file);
  const tail = Buffer.from(read(bytes - TAIL_BYTES, TAIL_BYTES).buffer);
  const magic = tail.toString("latin1", 4);
  const head = String.fromCharCode(...read(0, HEAD_BYTES));
  if (magic === ENCRYPTED || head === ENCRYPTED)
    throw encrypted(path, "the footer is");
  if (magic !== MAGIC)
    fail(
      "last bytes",
      `the file is truncated, or its writer did not close it (it ends with ${JSON.stringify(magic)} instead of "${MAGIC}")`,
    );
  const length = tail.readUInt32LE(0);
  if (length < 1 || length > room)
    fail("footer", `expected a footer of 1 to ${room} bytes, found ${length}`);
  checkLimit(file, "footer", "maxMetadataBytes", length);
  const start = bytes - TAIL_BYTES - length;
  let metadata: FileMetadata;
  try {
    metadata = fileMetadata(read(start, length));
  } catch (cause) {
    if (!(cause instanceof MalformedThrift)) throw cause;
    return fail("footer", `invalid metadata: ${cause.message}`, { cause });
  }
  if (metadata.encrypted) throw encrypted(path, "columns are");
  for (const [k, { rows }] of metadata.rowGroups.entries())
    checkLimit(file, `row group ${k}`, "maxBatchRows", rows);
  const fields = metadata.schema.children.map(schemaField);
  checkColumns(file, fields);
  const stored = arrowFields(metadata.arrowSchema ?? "");
  const arrow = stored && haveSameFields(fields, stored) ? stored : null;
  return { start, metadata, fields: arrow ?? fields, arrowFields: arrow };
}

function checkColumns(file: InputFile, fields: Field[]): void {
  let columns = 0;
  const visit = (field: Field, depth: number) => {
    checkLimit(file, "schema", "maxNesting", depth);
    checkLimit(file, "schema", "maxColumns", ++columns);
    for (const child of field.children) visit(child, depth + 1);
  };
  for (const field of fields) visit(field, 0);
}

/** Whether fields have the same structure; names are compared for columns and fields of structs. */
function haveSameFields(fields: Field[], others: Field[]): boolean {
  return (
    fields.length === others.length &&
    fields.every((field, k) => {
      const other = others[k] as Field;
      return (
        other.name === field.name &&
        (field.type.kind === "Struct"
          ? haveSameFields(field.children, other.children)
          : other.children.length === field.children.length)
      );
    })
  );
}

function encrypted(path: string, subject: string): InputUnsupportedError {
  return new InputUnsupportedError(
    path,
    "footer",
    `encrypted Parquet files are not supported (${subject} encrypted); write the file without encryption`,
  );
}

// Writers based on Arrow store its schema in the footer: an Arrow IPC schema message (Schema.fbs, Message.fbs) as base64 under
// the key ARROW:schema. Columns get the types of that schema, except that dictionaries and views become the types of their
// values: a Parquet dictionary is an encoding that differs between row groups, and views have a varying number of buffers.

const PLAIN: Partial<Record<ArrowType["kind"], ArrowType>> = {
  BinaryView: { kind: "Binary" },
  Utf8View: { kind: "Utf8" },
  ListView: { kind: "List" },
  LargeListView: { kind: "LargeList" },
};

/** Decodes the Arrow schema in a footer; null if it is invalid or exceeds a limit. */
function arrowFields(text: string): Field[] | null {
  const bytes = Buffer.from(text, "base64");
  try {
    const start = bytes.readUInt32LE(0) === 0xffffffff ? 8 : 4;
    const { schema } = decodeMessage(bytes.subarray(start));
    return schema?.fields.map(valueField) ?? null;
  } catch (error) {
    const expected = [RangeError, MalformedFlatbuffer, OverLimit];
    if (expected.some((kind) => error instanceof kind)) return null;
    throw error;
  }
}

function valueField(field: Field): Field {
  return {
    ...field,
    type: PLAIN[field.type.kind] ?? field.type,
    dictionary: null,
    children: field.children.map(valueField),
    // Metadata of a dictionary field describes the dictionary, for example the values of an enumeration.
    metadata: field.dictionary ? [] : field.metadata,
  };
}

// Arrow types of a Parquet schema (parquet-format, LogicalTypes.md), for messages and the choice of columns only: time units are
// placeholders, and the decoder determines the final types.

/** Returns the Arrow field of a schema node. A repeated node outside of a LIST group is a list of values. */
function schemaField(node: SchemaNode): Field {
  const field = nodeField(node);
  return node.repetition === REPEATED
    ? fieldOf(node, { kind: "List" }, [field])
    : field;
}

function nodeField(node: SchemaNode): Field {
  if (node.type !== undefined) return fieldOf(node, leafType(node));
  const { converted = -1, children } = node;
  const kind = logicalKind(node);
  const [child] = children;
  if (child?.repetition === REPEATED && children.length === 1) {
    if (kind === LIST || converted === CONVERTED_LIST)
      return fieldOf(node, { kind: "List" }, [listItem(node, child)]);
    const isMap = kind === MAP || CONVERTED_MAPS.includes(converted);
    if (isMap && child.children.length === 2)
      return fieldOf(node, { kind: "Map", keysSorted: false }, [
        nodeField(child),
      ]);
  }
  return fieldOf(node, { kind: "Struct" }, children.map(schemaField));
}

/** Returns the item of a list: its repeated node, or the only child of that (LogicalTypes.md, "Backward-compatibility rules"). */
function listItem(list: SchemaNode, repeated: SchemaNode): Field {
  const [only] = repeated.children;
  const isItem =
    !only ||
    repeated.children.length > 1 ||
    only.repetition === REPEATED ||
    repeated.name === "array" ||
    repeated.name === `${list.name}_tuple`;
  return isItem ? nodeField(repeated) : nodeField(only);
}

function fieldOf(
  { name, repetition }: SchemaNode,
  type: ArrowType,
  children: Field[] = [],
): Field {
  const nullable = repetition === OPTIONAL;
  return { ...plainField(name, type, children), nullable };
}

/** Values of LogicalType and ConvertedType as stored. */
const MAP = 2;
const LIST = 3;
const CONVERTED_LIST = 3;
const CONVERTED_MAPS = [1, 2];
const CONVERTED_DECIMAL = 5;

const TEXT: ArrowType = { kind: "Utf8" };
const DAYS: ArrowType = { kind: "Date", unit: 0 };
const TIME: ArrowType = { kind: "Time", unit: 2, bitWidth: 64 };
const TIMESTAMP: ArrowType = { kind: "Timestamp", unit: 2, timezone: null };
const BYTES: ArrowType = { kind: "Binary" };
const FIXED_BYTES = 7;

type TypesByNumber = Readonly<Record<number, ArrowType>>;

const BY_LOGICAL: TypesByNumber = {
  ...{ 1: TEXT, 4: TEXT, 6: DAYS, 7: TIME, 8: TIMESTAMP, 12: TEXT },
  ...{ 11: { kind: "Null" }, 15: arrowTypeOf("float16") },
};

/** Signed integers follow the unsigned ones of 8, 16, 32 and 64 bits, which start at 11. */
const INTEGERS = ["uint", "int"].flatMap((kind) =>
  [8, 16, 32, 64].map((bits) => arrowTypeOf(`${kind}${bits}` as NumberType)),
);

const BY_CONVERTED: TypesByNumber = {
  ...{ 0: TEXT, 4: TEXT, 6: DAYS, 7: TIME, 8: TIME, 9: TIMESTAMP },
  ...{ 10: TIMESTAMP, 19: TEXT },
  ...Object.fromEntries(INTEGERS.map((type, k) => [11 + k, type])),
};

/** Arrow types by the stored value of Type. */
const BY_TYPE: TypesByNumber = {
  ...{ 0: { kind: "Bool" }, 3: TIMESTAMP, 6: BYTES },
  ...{ 1: arrowTypeOf("int32"), 2: arrowTypeOf("int64") },
  ...{ 4: arrowTypeOf("float32"), 5: arrowTypeOf("float64") },
};

function leafType(node: SchemaNode): ArrowType {
  const { type = -1, typeLength = 0, converted = -1 } = node;
  const { precision = 0, scale = 0 } = node;
  const bitWidth = precision > 38 ? 256 : 128;
  if (converted === CONVERTED_DECIMAL)
    return { kind: "Decimal", precision, scale, bitWidth };
  return (
    BY_LOGICAL[logicalKind(node)] ??
    BY_CONVERTED[converted] ??
    (type === FIXED_BYTES
      ? { kind: "FixedSizeBinary", byteWidth: typeLength }
      : (BY_TYPE[type] ?? BYTES))
  );
}
