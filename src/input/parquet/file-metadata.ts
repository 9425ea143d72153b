import { MalformedThrift, ThriftReader } from "./thrift.js";

// What we read ourselves of a footer, a FileMetaData of parquet.thrift; field numbers are those there.

/** A column's part of a row group: pages, one behind the other. */
export interface ColumnChunk {
  /** Name of the top-level column. */
  column: string;
  start: number;
  bytes: number;
  /** How its pages are compressed. */
  compression: string;
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

export interface FileMetadata {
  /** Column chunks by row group. */
  rowGroups: ColumnChunk[][];
  groupRows: number[];
  /** Columns are encrypted, though the footer is not. */
  encrypted: boolean;
}

/** null: it is damaged, and the decoder, which reads all of it, will say where. */
export function fileMetadata(footer: Uint8Array): FileMetadata | null {
  const reader = new ThriftReader(footer);
  const found: FileMetadata = {
    rowGroups: [],
    groupRows: [],
    encrypted: false,
  };
  try {
    reader.struct((id) => {
      if (id === 4)
        reader.list(() => {
          const { chunks, rows } = rowGroup(reader);
          found.rowGroups.push(chunks);
          found.groupRows.push(rows);
        });
      if (id === 8) found.encrypted = true;
      return id === 4;
    });
  } catch (error) {
    if (error instanceof MalformedThrift) return null;
    throw error;
  }
  return found;
}

function rowGroup(reader: ThriftReader): {
  chunks: ColumnChunk[];
  rows: number;
} {
  const chunks: ColumnChunk[] = [];
  let rows = 0;
  reader.struct((id) => {
    if (id === 1)
      reader.list(() => {
        reader.struct((part) => {
          if (part === 3) chunks.push(columnChunk(reader));
          return part === 3;
        });
      });
    else if (id === 3) rows = reader.integer();
    return id === 1 || id === 3;
  });
  return { chunks, rows };
}

function columnChunk(reader: ThriftReader): ColumnChunk {
  let column = "";
  let [bytes, data, dictionary, codec] = [0, 0, 0, 0];
  reader.struct((id) => {
    if (id === 3) {
      const path: string[] = [];
      reader.list(() => path.push(reader.text()));
      column = path[0] ?? "";
    } else if (id === 4) codec = reader.integer();
    else if (id === 7) bytes = reader.integer();
    else if (id === 9) data = reader.integer();
    else if (id === 11) dictionary = reader.integer();
    else return false;
    return true;
  });
  // Some writers say 0 where there is no dictionary.
  const compression = CODECS[codec] ?? "unknown";
  return {
    column,
    start: dictionary > 0 ? dictionary : data,
    bytes,
    compression,
  };
}
