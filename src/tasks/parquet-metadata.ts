import { decodeThrift, MalformedThrift, type Shaped } from "../io/thrift.js";

// Metadata in the footer of a Parquet file (parquet.thrift, FileMetaData): the fields that reading needs.

const SCHEMA_ELEMENT = {
  1: ["type", "integer"],
  2: ["typeLength", "integer"],
  3: ["repetition", "integer"],
  4: ["name", "text"],
  5: ["childCount", "integer"],
  6: ["converted", "integer"],
  7: ["scale", "integer"],
  8: ["precision", "integer"],
  10: ["logical", "struct"],
} as const;

const COLUMN_METADATA = {
  1: ["type", "integer"],
  2: ["encodings", ["integer"]],
  4: ["codec", "integer"],
  5: ["values", "integer"],
  6: ["decodedBytes", "integer"],
  7: ["bytes", "integer"],
  9: ["data", "integer"],
  11: ["dictionary", "integer"],
} as const;

const ROW_GROUP = {
  1: [
    "columns",
    [{ 2: ["fileOffset", "integer"], 3: ["metadata", COLUMN_METADATA] }],
  ],
  2: ["bytes", "integer"],
  3: ["rows", "integer"],
} as const;

export const FILE_METADATA = {
  1: ["version", "integer"],
  2: ["schema", [SCHEMA_ELEMENT]],
  3: ["rows", "integer"],
  4: ["rowGroups", [ROW_GROUP]],
  5: ["keyValues", [{ 1: ["key", "text"], 2: ["value", "text"] }]],
  8: ["encryption", "struct"],
} as const;

export type SchemaElement = Shaped<typeof SCHEMA_ELEMENT>;

/** Node of the schema; only leaves have a type. Enumerations are numbers, as stored. */
export interface SchemaNode extends SchemaElement {
  name: string;
  repetition: number;
  /** Name of the node's top-level column. */
  column: string;
  children: SchemaNode[];
  /** Maximum repetition and definition levels. */
  maxRepetition: number;
  maxDefinition: number;
}

export type FileMetadata = ReturnType<typeof fileMetadata>;
export type RowGroup = FileMetadata["rowGroups"][number];
/** Consecutive pages with the values of one leaf in one row group. */
export type ColumnChunk = ReturnType<typeof columnChunk>;

/** Names of CompressionCodec, by number. */
const CODECS = [
  ...["uncompressed", "SNAPPY", "GZIP", "LZO", "BROTLI"],
  ...["LZ4", "ZSTD", "LZ4_RAW"],
];

/** FieldRepetitionType, as stored. */
const REQUIRED = 0;
export const OPTIONAL = 1;
export const REPEATED = 2;

/** Levels must fit one byte; real schemas nest about eight deep. */
const MAX_LEVEL = 255;

export const ARROW_SCHEMA = "ARROW:schema";

/** Decodes a footer. @throws MalformedThrift */
export function fileMetadata(footer: Uint8Array) {
  const { value } = decodeThrift(footer, FILE_METADATA);
  const schema = schemaTree(value.schema ?? []);
  const leaves = leafNodes(schema);
  const pair = value.keyValues?.findLast(({ key }) => key === ARROW_SCHEMA);
  return {
    schema,
    rows: value.rows ?? 0,
    rowGroups: (value.rowGroups ?? []).map(({ rows = 0, columns = [] }, k) => {
      const chunks = columns.flatMap(({ metadata }) => metadata ?? []);
      if (rows < 0)
        throw new MalformedThrift(`row group ${k} has ${rows} rows`);
      if (chunks.length !== leaves.length)
        throw new MalformedThrift(
          `row group ${k} has ${chunks.length} columns, the schema ${leaves.length}`,
        );
      return {
        rows,
        /** Column chunks, in the order of the schema's leaves. */
        chunks: leaves.map((leaf, n) => columnChunk(leaf, chunks[n] ?? {})),
      };
    }),
    /** Arrow schema message stored by the writer (base64); null: none. */
    arrowSchema: pair?.value ?? null,
    /** Whether columns are encrypted (the footer is not). */
    encrypted: value.encryption !== undefined,
  };
}

function leafNodes(node: SchemaNode): SchemaNode[] {
  return node.type === undefined ? node.children.flatMap(leafNodes) : [node];
}

/** Returns the number of a node's LogicalType; 0 if there is none, or if it is over 15. */
export function logicalKind({ logical }: SchemaElement): number {
  // A union is a struct of one field, whose number is in the high bits of its first byte. If they are 0, it follows as a zigzag
  // varint: polars writes 15 (FLOAT16) in this way.
  const [head = 0, next = 0] = logical ?? [];
  const kind = head >> 4 || next >> 1;
  return kind > 15 ? 0 : kind;
}

/** Builds the tree of a schema from its nodes in depth-first order (parents first); returns the root. */
function schemaTree(elements: readonly SchemaElement[]): SchemaNode {
  if (elements.length === 0) throw new MalformedThrift("no schema");
  let next = 0;
  const read = (parent: SchemaNode | null, depth: number): SchemaNode => {
    const element = elements[next++];
    if (!element) throw new MalformedThrift("a schema that ends too early");
    if (depth > MAX_LEVEL)
      throw new MalformedThrift(`a schema nested more than ${MAX_LEVEL} deep`);
    const { name = "", repetition = REQUIRED, childCount = 0, type } = element;
    const node: SchemaNode = {
      ...element,
      name,
      repetition,
      type: parent && childCount <= 0 ? type : undefined,
      column: depth > 1 && parent ? parent.column : name,
      children: [],
      maxRepetition: 0,
      maxDefinition: 0,
    };
    if (parent) {
      const { maxRepetition, maxDefinition } = parent;
      node.maxRepetition = maxRepetition + (repetition === REPEATED ? 1 : 0);
      node.maxDefinition = maxDefinition + (repetition === REQUIRED ? 0 : 1);
    }
    for (let k = 0; k < childCount; k++)
      node.children.push(read(node, depth + 1));
    return node;
  };
  const root = read(null, 0);
  if (next < elements.length)
    throw new MalformedThrift("a schema of several roots");
  return root;
}

function columnChunk(leaf: SchemaNode, stored: Shaped<typeof COLUMN_METADATA>) {
  const { type = 0, codec = 0, data = 0, dictionary = 0 } = stored;
  const { bytes = 0, decodedBytes = 0, values = 0 } = stored;
  return {
    leaf,
    /** Physical type, as stored. */
    type,
    /** CompressionCodec, as stored, and its name. */
    codec,
    compression: CODECS[codec] ?? "unknown",
    // Some writers store 0 if there is no dictionary.
    start: dictionary > 0 ? dictionary : data,
    /** Size of the pages in the file, and before compression. */
    bytes,
    decodedBytes,
    /** Positions of the first data page and of the dictionary; 0: none. */
    data,
    dictionary,
    /** Number of values of all pages, nulls included. */
    values,
  };
}
