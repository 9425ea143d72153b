import { framed, schemaMessage } from "../../arrow/encode-messages.js";
import type { Field } from "../../arrow/field.js";
import { encodeThrift } from "../../io/thrift.js";
import {
  ARROW_SCHEMA,
  type ColumnChunk,
  FILE_METADATA,
  logicalKind,
  type SchemaElement,
  type SchemaNode,
} from "../../tasks/parquet-metadata.js";
import type { ParquetSetup } from "../../tasks/parquet-tasks.js";
import type { ColumnPath } from "../record-batches.js";
import type { ParquetFooter } from "./parquet-footer.js";

const FORMAT_VERSION = 2;

/**
 * Returns the columns of a file, each with only the fields on `paths`, as the decoder reads them. It gets a footer of one column
 * instead of the file's, because it holds all columns in memory that a footer has, and rejects whole files for columns and
 * statistics that no run reads.
 */
export function projectColumns(
  footer: ParquetFooter,
  paths: readonly ColumnPath[],
): Pick<ParquetSetup, "tails" | "rowGroups"> {
  const indices = new Set(paths.map(([k = 0]) => k));
  const columns = [...indices]
    .sort((a, b) => a - b)
    .map((k) =>
      projectColumn(
        footer,
        paths.filter(([first]) => first === k),
      ),
    );
  return {
    tails: columns.map(({ tail }) => tail),
    rowGroups: footer.metadata.rowGroups.map(({ rows }, k) => ({
      rows,
      columns: columns.map(({ chunks }) => chunks[k] as ColumnChunk[]),
    })),
  };
}

/** Returns the end of a file with only the fields on `paths`, and their chunks by row group. */
function projectColumn(
  { metadata: { schema, rows, rowGroups }, arrowFields }: ParquetFooter,
  paths: readonly ColumnPath[],
): { tail: Uint8Array; chunks: ColumnChunk[][] } {
  const elements: SchemaElement[] = [];
  const nodes = new Set<SchemaNode>();
  const add = (node: SchemaNode, paths: readonly ColumnPath[]) => {
    const children = onPaths(node.children, paths);
    elements.push(schemaElement(node, children.length, arrowFields !== null));
    nodes.add(node);
    for (const [child, rest] of children) add(child, rest);
  };
  add(schema, paths);
  const leaves = rowGroups[0]?.chunks.map(({ leaf }) => leaf) ?? [];
  const kept = [...leaves.keys()].filter((n) =>
    nodes.has(leaves[n] as SchemaNode),
  );
  const chunks = rowGroups.map(({ chunks }) =>
    kept.map((n) => chunks[n] as ColumnChunk),
  );
  const value = arrowFields && arrowSchema(projectFields(arrowFields, paths));
  const footer = encodeThrift(FILE_METADATA, {
    version: FORMAT_VERSION,
    schema: elements,
    rows,
    rowGroups: rowGroups.map(({ rows }, k) => ({
      rows,
      bytes: (chunks[k] as ColumnChunk[]).reduce(
        (sum, { decodedBytes }) => sum + decodedBytes,
        0,
      ),
      // Encodings are stated by the pages, and paths by the schema.
      columns: (chunks[k] as ColumnChunk[]).map((chunk) => ({
        fileOffset: 0,
        metadata: {
          ...chunk,
          encodings: [],
          dictionary: chunk.dictionary > 0 ? chunk.dictionary : undefined,
        },
      })),
    })),
    keyValues: value === null ? undefined : [{ key: ARROW_SCHEMA, value }],
  });
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  const tail = Buffer.concat([footer, length, Buffer.from("PAR1")]);
  return { tail, chunks };
}

/** Returns the children on the paths, each with the rest of its paths; all children if a path ends at the parent. */
function onPaths<Child>(
  children: readonly Child[],
  paths: readonly ColumnPath[],
): [child: Child, rest: ColumnPath[]][] {
  if (paths.some(({ length }) => length === 0))
    return children.map((child) => [child, [[]]]);
  const rests = new Map<number, ColumnPath[]>();
  for (const [k = -1, ...rest] of paths) {
    const others = rests.get(k);
    if (others) others.push(rest);
    else rests.set(k, [rest]);
  }
  return children.flatMap((child, k): [Child, ColumnPath[]][] => {
    const rest = rests.get(k);
    return rest ? [[child, rest]] : [];
  });
}

/** ConvertedType of an interval: 12 bytes with months, days and milliseconds. */
const INTERVAL = 21;

/**
 * Returns the schema element of a node, without types whose values are read as stored: the logical types VARIANT, GEOMETRY and
 * GEOGRAPHY (logicalKind 0), and intervals without an Arrow type, of which the decoder would drop the months.
 */
function schemaElement(
  node: SchemaNode,
  childCount: number,
  hasArrowType: boolean,
): SchemaElement {
  const isLeaf = node.type !== undefined;
  const isStored = node.converted === INTERVAL && !hasArrowType;
  return {
    ...node,
    childCount: isLeaf ? undefined : childCount,
    logical: logicalKind(node) > 0 ? node.logical : undefined,
    converted: isStored ? undefined : node.converted,
  };
}

function projectFields(fields: Field[], paths: readonly ColumnPath[]): Field[] {
  return onPaths(fields, paths).map(([field, rest]) => ({
    ...field,
    children: projectFields(field.children, rest),
  }));
}

function arrowSchema(fields: Field[]): string {
  const message = framed(schemaMessage(fields, []), 0);
  return Buffer.from(message).toString("base64");
}
