import { type ColumnPath, pathsByChild } from "./column-paths.js";
import {
  type ColumnChunk,
  type FileMetadata,
  leafNodes,
  type RowGroup,
  type SchemaNode,
} from "./file-metadata.js";
import {
  BINARY,
  type EncodedField,
  encodeBytes,
  encodeInteger,
  encodeList,
  encodeStruct,
  I32,
  I64,
  LIST,
  STRUCT,
} from "./thrift-writer.js";

/**
 * Returns a footer of some of the columns, with what decoding needs of them, and its row groups. The decoder gets no other
 * footer: it refuses whole files for columns, and for statistics, that nobody reads.
 * @param arrowSchema Arrow schema of these columns as base64, if the footer has one
 */
export function projectFooter(
  { schema, rows, rowGroups }: FileMetadata,
  paths: readonly ColumnPath[],
  arrowSchema: string | null,
): { footer: Buffer; rowGroups: RowGroup[] } {
  const { elements, leaves } = projectSchema(schema, paths);
  const projected = rowGroups.map(({ rows, chunks }) => ({
    rows,
    chunks: chunks.filter((_, k) => leaves[k]),
  }));
  const keyValues =
    arrowSchema === null
      ? []
      : [encodeStruct([text(1, "ARROW:schema"), text(2, arrowSchema)])];
  const footer = encodeStruct([
    integer(1, VERSION),
    list(2, elements),
    long(3, rows),
    list(4, projected.map(encodeRowGroup)),
    list(5, keyValues),
  ]);
  return { footer, rowGroups: projected };
}

const VERSION = 2;

/** Returns the schema elements of the columns at these paths, and for each leaf whether it is one of theirs. */
function projectSchema(
  schema: SchemaNode,
  paths: readonly ColumnPath[],
): { elements: Buffer[]; leaves: boolean[] } {
  const elements: Buffer[] = [];
  const leaves: boolean[] = [];
  const addWhole = (node: SchemaNode) => {
    elements.push(encodeNode(node, node.children.length));
    if (node.type >= 0) leaves.push(true);
    node.children.forEach(addWhole);
  };
  const add = (
    node: SchemaNode,
    below: readonly ColumnPath[],
    depth: number,
  ) => {
    if (below.some(({ length }) => length === depth)) return addWhole(node);
    const byChild = pathsByChild(below, depth);
    elements.push(encodeNode(node, byChild.size));
    for (const [k, child] of node.children.entries()) {
      const paths = byChild.get(k);
      if (paths) add(child, paths, depth + 1);
      else for (const _ of leafNodes(child)) leaves.push(false);
    }
  };
  add(schema, paths, 0);
  return { elements, leaves };
}

/** VARIANT, GEOMETRY and GEOGRAPHY are not among these: their values are read as they are stored. */
const MAX_LOGICAL_TYPE = 15;
const GROUP = -1;

/** Encodes a SchemaElement. A node without a repetition is required. */
function encodeNode(node: SchemaNode, children: number): Buffer {
  const { type, logical } = node;
  const isGroup = type === GROUP;
  return encodeStruct([
    ...(isGroup ? [] : [integer(1, type), integer(2, node.typeLength)]),
    integer(3, node.repetition),
    text(4, node.name),
    ...(isGroup ? [integer(5, children)] : []),
    ...(node.converted >= 0 ? [integer(6, node.converted)] : []),
    ...(isGroup ? [] : [integer(7, node.scale), integer(8, node.precision)]),
    ...(logical && logical.kind <= MAX_LOGICAL_TYPE
      ? [[10, STRUCT, logical.bytes] as const]
      : []),
  ]);
}

function encodeRowGroup({ rows, chunks }: RowGroup): Buffer {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.decodedBytes, 0);
  return encodeStruct([
    list(1, chunks.map(encodeChunk)),
    long(2, bytes),
    long(3, rows),
  ]);
}

/** Encodes a ColumnChunk. Its encodings are stated in its pages, too; its path by the schema. */
function encodeChunk(chunk: ColumnChunk): Buffer {
  const metadata = encodeStruct([
    integer(1, chunk.type),
    [2, LIST, encodeList(I32, [])],
    [3, LIST, encodeList(BINARY, [])],
    integer(4, chunk.codec),
    long(5, chunk.values),
    long(6, chunk.decodedBytes),
    long(7, chunk.bytes),
    long(9, chunk.data),
    ...(chunk.dictionary > 0 ? [long(11, chunk.dictionary)] : []),
  ]);
  return encodeStruct([long(2, 0), [3, STRUCT, metadata]]);
}

function integer(id: number, value: number): EncodedField {
  return [id, I32, encodeInteger(value)];
}

function long(id: number, value: number): EncodedField {
  return [id, I64, encodeInteger(value)];
}

function text(id: number, value: string): EncodedField {
  return [id, BINARY, encodeBytes(Buffer.from(value))];
}

function list(id: number, structs: readonly Uint8Array[]): EncodedField {
  return [id, LIST, encodeList(STRUCT, structs)];
}
