import type { ColumnPath } from "../column-spans.js";
import { pathsByChild } from "./column-paths.js";
import {
  type FileMetadata,
  leafNodes,
  type RowGroup,
  type SchemaNode,
} from "./file-metadata.js";
import { encodeStruct } from "./thrift-writer.js";

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
  const footer = encodeStruct({
    1: VERSION,
    2: elements,
    3: rows,
    4: projected.map(encodeRowGroup),
    5: arrowSchema && [encodeStruct({ 1: "ARROW:schema", 2: arrowSchema })],
  });
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
    paths: readonly ColumnPath[],
    depth: number,
  ) => {
    if (paths.some(({ length }) => length === depth)) return addWhole(node);
    const byChild = pathsByChild(paths, depth);
    elements.push(encodeNode(node, byChild.size));
    for (const [k, child] of node.children.entries()) {
      const below = byChild.get(k);
      if (below) add(child, below, depth + 1);
      else for (const _ of leafNodes(child)) leaves.push(false);
    }
  };
  add(schema, paths, 0);
  return { elements, leaves };
}

/** VARIANT, GEOMETRY and GEOGRAPHY are not among these: their values are read as they are stored. */
const MAX_LOGICAL_TYPE = 15;

/** Encodes a SchemaElement. A node without a repetition is required. */
function encodeNode(node: SchemaNode, children: number): Buffer {
  const { type, logical } = node;
  const isLeaf = type >= 0;
  return encodeStruct({
    1: isLeaf ? type : null,
    2: isLeaf ? node.typeLength : null,
    3: node.repetition,
    4: node.name,
    5: isLeaf ? null : children,
    6: node.converted >= 0 ? node.converted : null,
    7: isLeaf ? node.scale : null,
    8: isLeaf ? node.precision : null,
    10: node.logicalKind <= MAX_LOGICAL_TYPE ? logical : null,
  });
}

/** Encodes a RowGroup and its ColumnChunks. Pages state their encodings, and the schema has the paths. */
function encodeRowGroup({ rows, chunks }: RowGroup): Buffer {
  const encoded = chunks.map((chunk) => {
    const metadata = encodeStruct({
      1: chunk.type,
      2: new Int32Array(),
      4: chunk.codec,
      5: chunk.values,
      6: chunk.decodedBytes,
      7: chunk.bytes,
      9: chunk.data,
      11: chunk.dictionary > 0 ? chunk.dictionary : null,
    });
    return encodeStruct({ 2: 0, 3: metadata });
  });
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.decodedBytes, 0);
  return encodeStruct({ 1: encoded, 2: bytes, 3: rows });
}
