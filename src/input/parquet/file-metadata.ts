import { MalformedThrift, ThriftReader } from "./thrift.js";

// What we read ourselves of a footer, a FileMetaData of parquet.thrift; field numbers are those there.

/** A column's part of a row group: pages, one behind the other. */
export interface ColumnChunk {
  /** Name of the top-level column. */
  column: string;
  start: number;
  bytes: number;
}

export interface FileMetadata {
  /** Column chunks by row group. */
  rowGroups: ColumnChunk[][];
  /** Columns are encrypted, though the footer is not. */
  encrypted: boolean;
}

/** null: it is damaged, and the decoder, which reads all of it, will say where. */
export function fileMetadata(footer: Uint8Array): FileMetadata | null {
  const reader = new ThriftReader(footer);
  const found: FileMetadata = { rowGroups: [], encrypted: false };
  try {
    reader.struct((id) => {
      if (id === 4)
        reader.list(() => {
          found.rowGroups.push(rowGroup(reader));
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

function rowGroup(reader: ThriftReader): ColumnChunk[] {
  const chunks: ColumnChunk[] = [];
  reader.struct((id) => {
    if (id === 1)
      reader.list(() => {
        reader.struct((part) => {
          if (part === 3) chunks.push(columnChunk(reader));
          return part === 3;
        });
      });
    return id === 1;
  });
  return chunks;
}

function columnChunk(reader: ThriftReader): ColumnChunk {
  let column = "";
  let [bytes, data, dictionary] = [0, 0, 0];
  reader.struct((id) => {
    if (id === 3) {
      const path: string[] = [];
      reader.list(() => path.push(reader.text()));
      column = path[0] ?? "";
    } else if (id === 7) bytes = reader.integer();
    else if (id === 9) data = reader.integer();
    else if (id === 11) dictionary = reader.integer();
    else return false;
    return true;
  });
  // Some writers say 0 where there is no dictionary.
  return { column, start: dictionary > 0 ? dictionary : data, bytes };
}
