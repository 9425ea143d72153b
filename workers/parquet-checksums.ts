import { crc32 } from "node:zlib";
import type { ColumnChunk } from "../src/input/parquet/file-metadata.js";
import type { ParquetSetup } from "../src/input/parquet/protocol.js";
import { MalformedThrift, ThriftReader } from "../src/input/parquet/thrift.js";
import { ParquetFailure } from "./parquet-failure.js";
import { readParquet } from "./parquet-read.js";

/** Page headers are short, but for those with long least and greatest values. */
const HEADER_BYTES = 512;

interface PageHeader {
  bytes: number;
  pageBytes: number;
  crc: number | null;
}

/**
 * Checks the pages of a column chunk against their checksums, which the decoder does not look at. Where the first page
 * has none, its writer made none: nothing else is read.
 * @throws ParquetFailure
 */
export function checkPages(
  { fd, footerStart }: ParquetSetup,
  { column, start, bytes }: ColumnChunk,
  where: string,
): void {
  const end = start + bytes;
  // The decoder says what is wrong with places and headers.
  if (start < 0 || end > footerStart) return;
  for (let at = start, page = 0; at < end; page++) {
    const header = pageHeader(fd, at, end);
    const pageEnd = header ? at + header.bytes + header.pageBytes : 0;
    if (!header || header.crc === null || pageEnd > end) return;
    const content = new Uint8Array(header.pageBytes);
    readParquet(fd, content, at + header.bytes);
    const found = crc32(content);
    if (found !== header.crc >>> 0)
      throw new ParquetFailure({
        kind: "damaged",
        where: `${where}: column ${column}, page ${page}`,
        text: `expected the checksum ${hexadecimal(header.crc >>> 0)}, found ${hexadecimal(found)}`,
      });
    at = pageEnd;
  }
}

/** The header of the page at a position; null where there is none that makes sense. */
function pageHeader(fd: number, at: number, end: number): PageHeader | null {
  for (let length = HEADER_BYTES; ; length *= 16) {
    const bytes = new Uint8Array(Math.min(length, end - at));
    readParquet(fd, bytes, at);
    try {
      return decodeHeader(bytes);
    } catch (error) {
      if (!(error instanceof MalformedThrift)) throw error;
      if (bytes.byteLength === end - at) return null;
    }
  }
}

/** PageHeader of parquet.thrift. */
function decodeHeader(bytes: Uint8Array): PageHeader | null {
  const reader = new ThriftReader(bytes);
  const found: PageHeader = { bytes: 0, pageBytes: -1, crc: null };
  reader.struct((id) => {
    if (id === 3) found.pageBytes = reader.integer();
    else if (id === 4) found.crc = reader.integer();
    else return false;
    return true;
  });
  found.bytes = reader.position;
  return found.pageBytes < 0 ? null : found;
}

function hexadecimal(value: number): string {
  return value.toString(16).padStart(8, "0");
}
