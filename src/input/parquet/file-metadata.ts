import { MalformedThrift, ThriftReader } from "./thrift.js";

// The parts of a footer that the decoder does not check: a FileMetaData of parquet.thrift, whose field numbers these are.

/** A leaf of the schema: nested columns have several. */
interface Leaf {
  /** Name of the top-level column. */
  column: string;
  maxRepetition: number;
  maxDefinition: number;
}

/** A leaf's part of a row group: pages, one after the other. */
export interface ColumnChunk extends Leaf {
  start: number;
  bytes: number;
  /** Compression codec of its pages. */
  compression: string;
  /** Values of all its pages, nulls included. */
  values: number;
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
const OPTIONAL = 1;
const REPEATED = 2;

/** Levels are counted in bytes; schemas nest about eight deep. */
const MAX_LEVEL = 255;

export interface FileMetadata {
  /** Column chunks by row group, those of a group in the order of the schema's leaves. */
  rowGroups: ColumnChunk[][];
  groupRows: number[];
  /** Columns are encrypted, though the footer is not. */
  encrypted: boolean;
}

type Place = Omit<ColumnChunk, keyof Leaf>;

/** Returns null for a damaged footer. */
export function fileMetadata(footer: Uint8Array): FileMetadata | null {
  const reader = new ThriftReader(footer);
  let schema: Leaf[] = [];
  const groups: Place[][] = [];
  const groupRows: number[] = [];
  let encrypted = false;
  try {
    reader.struct((id) => {
      if (id === 2) schema = leaves(reader);
      else if (id === 4)
        reader.list(() => {
          const { places, rows } = rowGroup(reader);
          groups.push(places);
          groupRows.push(rows);
        });
      if (id === 8) encrypted = true;
      return id === 2 || id === 4;
    });
  } catch (error) {
    if (error instanceof MalformedThrift) return null;
    throw error;
  }
  if (groups.some(({ length }) => length !== schema.length)) return null;
  const rowGroups = groups.map((places) =>
    places.map((place, k) => ({ ...(schema[k] as Leaf), ...place })),
  );
  return { rowGroups, groupRows, encrypted };
}

/** Reads the schema: a tree whose nodes are listed in depth-first order, parents first. */
function leaves(reader: ThriftReader): Leaf[] {
  const found: Leaf[] = [];
  /** Parents of the next node, with the number of children that are still to come. */
  const parents: { left: number; leaf: Leaf }[] = [];
  reader.list(() => {
    const { name, repetition, children } = schemaElement(reader);
    const parent = parents.at(-1);
    if (parent) parent.left--;
    const repeated = parent && repetition === REPEATED ? 1 : 0;
    const optional = parent && repetition === OPTIONAL ? 1 : 0;
    const { maxRepetition = 0, maxDefinition = 0 } = parent?.leaf ?? {};
    const leaf: Leaf = {
      column: parents.length > 1 ? (parent?.leaf.column ?? "") : name,
      maxRepetition: maxRepetition + repeated,
      maxDefinition: maxDefinition + repeated + optional,
    };
    if (leaf.maxDefinition > MAX_LEVEL)
      throw new MalformedThrift(`a schema nested more than ${MAX_LEVEL} deep`);
    if (children > 0 || !parent) parents.push({ left: children, leaf });
    else found.push(leaf);
    while (parents.length > 1 && parents.at(-1)?.left === 0) parents.pop();
  });
  return found;
}

function schemaElement(reader: ThriftReader): {
  name: string;
  repetition: number;
  children: number;
} {
  let name = "";
  let [repetition, children] = [0, 0];
  reader.struct((id) => {
    if (id === 3) repetition = reader.integer();
    else if (id === 4) name = reader.text();
    else if (id === 5) children = reader.integer();
    else return false;
    return true;
  });
  return { name, repetition, children };
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
  let [bytes, data, dictionary, codec, values] = [0, 0, 0, 0, 0];
  reader.struct((id) => {
    if (id === 4) codec = reader.integer();
    else if (id === 5) values = reader.integer();
    else if (id === 7) bytes = reader.integer();
    else if (id === 9) data = reader.integer();
    else if (id === 11) dictionary = reader.integer();
    else return false;
    return true;
  });
  return {
    // Some writers store 0 where there is no dictionary.
    start: dictionary > 0 ? dictionary : data,
    bytes,
    compression: CODECS[codec] ?? "unknown",
    values,
  };
}
