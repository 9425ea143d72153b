import { MalformedThrift, ThriftReader } from "./thrift.js";

// A FileMetaData of parquet.thrift, whose field numbers these are. Only fields that are needed are read.

/** A node of the schema. */
export interface SchemaNode {
  name: string;
  /** Name of the top-level column that it belongs to. */
  column: string;
  /** FieldRepetitionType, as stored. */
  repetition: number;
  /** Type of a leaf, as stored; -1 for a group. */
  type: number;
  typeLength: number;
  /** ConvertedType, as stored; -1 for none. */
  converted: number;
  /** LogicalType, a union: the number of its field, 0 for none, and the encoded union. */
  logicalKind: number;
  logical: Uint8Array | null;
  scale: number;
  precision: number;
  children: SchemaNode[];
  /** Greatest levels of its values. */
  maxRepetition: number;
  maxDefinition: number;
}

/** A leaf's part of a row group: pages, one after the other. */
export interface ColumnChunk {
  leaf: SchemaNode;
  start: number;
  bytes: number;
  /** Type of its values, as stored. */
  type: number;
  /** CompressionCodec of its pages, as stored, and its name. */
  codec: number;
  compression: string;
  /** Positions of its first data page and of its dictionary; 0: none. */
  data: number;
  dictionary: number;
  /** Values of all its pages, nulls included. */
  values: number;
  /** Size of its pages before compression. */
  decodedBytes: number;
}

export interface RowGroup {
  rows: number;
  /** Column chunks, in the order of the schema's leaves. */
  chunks: ColumnChunk[];
}

export interface FileMetadata {
  schema: SchemaNode;
  rows: number;
  rowGroups: RowGroup[];
  /** Message of an Arrow schema that its writer left; null: none. */
  arrowSchema: string | null;
  /** Columns are encrypted, though the footer is not. */
  encrypted: boolean;
}

/** CompressionCodec, as stored. */
const CODECS = [
  "uncompressed",
  "SNAPPY",
  "GZIP",
  "LZO",
  "BROTLI",
  "LZ4",
  "ZSTD",
  "LZ4_RAW",
];

/** FieldRepetitionType, as stored. */
const REQUIRED = 0;
export const OPTIONAL = 1;
export const REPEATED = 2;

/** Levels are counted in bytes; schemas nest about eight deep. */
const MAX_LEVEL = 255;

/** Reads the metadata in a footer. @throws MalformedThrift */
export function fileMetadata(footer: Uint8Array): FileMetadata {
  const reader = new ThriftReader(footer);
  const groups: { rows: number; places: Place[] }[] = [];
  const found: Omit<FileMetadata, "schema" | "rowGroups"> = {
    rows: 0,
    arrowSchema: null,
    encrypted: false,
  };
  let nodes: SchemaNode[] = [];
  reader.struct((id) => {
    if (id === 2) nodes = schemaNodes(reader);
    else if (id === 3) found.rows = reader.integer();
    else if (id === 4) reader.list(() => groups.push(rowGroup(reader)));
    else if (id === 5)
      reader.list(() => {
        const [key, value] = keyValue(reader);
        if (key === "ARROW:schema") found.arrowSchema = value;
      });
    else {
      if (id === 8) found.encrypted = true;
      return false;
    }
    return true;
  });
  const [schema] = nodes;
  if (!schema) throw new MalformedThrift("no schema");
  const leaves = leafNodes(schema);
  const rowGroups = groups.map(({ rows, places }, k) => {
    if (rows < 0) throw new MalformedThrift(`row group ${k} has ${rows} rows`);
    if (places.length !== leaves.length)
      throw new MalformedThrift(
        `row group ${k} has ${places.length} columns, the schema ${leaves.length}`,
      );
    return {
      rows,
      chunks: places.map((place, n) => ({
        ...place,
        leaf: leaves[n] as SchemaNode,
      })),
    };
  });
  return { ...found, schema, rowGroups };
}

type Place = Omit<ColumnChunk, "leaf">;

/** Returns the leaves of a node, in their order. */
export function leafNodes(node: SchemaNode): SchemaNode[] {
  return node.type >= 0 ? [node] : node.children.flatMap(leafNodes);
}

/** Reads the schema: a tree whose nodes are listed in depth-first order, parents first; the root is the first. */
function schemaNodes(reader: ThriftReader): SchemaNode[] {
  const nodes: SchemaNode[] = [];
  /** Parents of the next node, with the number of children that are still to come. */
  const parents: { left: number; node: SchemaNode }[] = [];
  reader.list(() => {
    const parent = parents.at(-1);
    const { node, children } = schemaElement(reader);
    if (parent) {
      const { repetition } = node;
      node.column = parents.length > 1 ? parent.node.column : node.name;
      node.maxRepetition =
        parent.node.maxRepetition + (repetition === REPEATED ? 1 : 0);
      node.maxDefinition =
        parent.node.maxDefinition + (repetition === REQUIRED ? 0 : 1);
      parent.left--;
      parent.node.children.push(node);
    } else if (nodes.length > 0)
      throw new MalformedThrift("a schema of several roots");
    nodes.push(node);
    if (parents.length > MAX_LEVEL)
      throw new MalformedThrift(`a schema nested more than ${MAX_LEVEL} deep`);
    if (children > 0 || !parent) {
      node.type = -1;
      parents.push({ left: children, node });
    }
    while (parents.at(-1)?.left === 0) parents.pop();
  });
  if (parents.length > 0)
    throw new MalformedThrift("a schema that ends too early");
  return nodes;
}

function schemaElement(reader: ThriftReader): {
  node: SchemaNode;
  children: number;
} {
  const node: SchemaNode = {
    name: "",
    column: "",
    repetition: REQUIRED,
    type: -1,
    typeLength: 0,
    converted: -1,
    logicalKind: 0,
    logical: null,
    scale: 0,
    precision: 0,
    children: [],
    maxRepetition: 0,
    maxDefinition: 0,
  };
  let children = 0;
  reader.struct((id) => {
    if (id === 1) node.type = reader.integer();
    else if (id === 2) node.typeLength = reader.integer();
    else if (id === 3) node.repetition = reader.integer();
    else if (id === 4) node.name = reader.text();
    else if (id === 5) children = reader.integer();
    else if (id === 6) node.converted = reader.integer();
    else if (id === 7) node.scale = reader.integer();
    else if (id === 8) node.precision = reader.integer();
    else if (id === 10) {
      const start = reader.position;
      reader.struct((kind) => {
        node.logicalKind = kind;
        return false;
      });
      node.logical = reader.since(start);
    } else return false;
    return true;
  });
  return { node, children };
}

function keyValue(reader: ThriftReader): [key: string, value: string] {
  let [key, value] = ["", ""];
  reader.struct((id) => {
    if (id === 1) key = reader.text();
    else if (id === 2) value = reader.text();
    else return false;
    return true;
  });
  return [key, value];
}

function rowGroup(reader: ThriftReader): { places: Place[]; rows: number } {
  const places: Place[] = [];
  let rows = 0;
  reader.struct((id) => {
    if (id === 1)
      reader.list(() => {
        reader.struct((part) => {
          if (part === 3) places.push(chunkPlace(reader));
          return part === 3;
        });
      });
    else if (id === 3) rows = reader.integer();
    return id === 1 || id === 3;
  });
  return { places, rows };
}

function chunkPlace(reader: ThriftReader): Place {
  let [type, codec, values, decodedBytes, bytes] = [0, 0, 0, 0, 0];
  let [data, dictionary] = [0, 0];
  reader.struct((id) => {
    if (id === 1) type = reader.integer();
    else if (id === 4) codec = reader.integer();
    else if (id === 5) values = reader.integer();
    else if (id === 6) decodedBytes = reader.integer();
    else if (id === 7) bytes = reader.integer();
    else if (id === 9) data = reader.integer();
    else if (id === 11) dictionary = reader.integer();
    else return false;
    return true;
  });
  // Some writers store 0 where there is no dictionary.
  const start = dictionary > 0 ? dictionary : data;
  const compression = CODECS[codec] ?? "unknown";
  const pages = { data, dictionary, start, bytes, decodedBytes };
  return { type, codec, compression, values, ...pages };
}
