import { crc32 } from "node:zlib";
import { readFully } from "../src/io/positional.js";
import {
  decodeThrift,
  MalformedThrift,
  type Shaped,
} from "../src/io/thrift.js";
import type { ColumnChunk } from "../src/tasks/parquet-metadata.js";
import type { ParquetSetup } from "../src/tasks/parquet-tasks.js";
import { Damaged } from "./decompress/bytes.js";
import { loadCodec, pageStart } from "./parquet-page-start.js";
import { damaged, withSide } from "./slot-bytes.js";

/** First guess at the size of a page header; headers with long minimum and maximum values are larger. */
const HEADER_BYTES = 512;

/** PageType, as stored. */
const DATA_PAGE = 0;
const DATA_PAGE_V2 = 3;

/** Encoding of levels. Its predecessor BIT_PACKED is rejected, because readers disagree on the order of its bits. */
const RLE = 3;

/** PageHeader of parquet.thrift. */
const PAGE_HEADER = {
  1: ["type", "integer"],
  2: ["decodedBytes", "integer"],
  3: ["pageBytes", "integer"],
  4: ["crc", "integer"],
  5: [
    "v1",
    {
      1: ["values", "integer"],
      3: ["definition", "integer"],
      4: ["repetition", "integer"],
    },
  ],
  8: [
    "v2",
    {
      1: ["values", "integer"],
      5: ["definition", "integer"],
      6: ["repetition", "integer"],
    },
  ],
} as const;

type PageHeader = Shaped<typeof PAGE_HEADER>;

/** Buffer of a page, as large as the largest page so far. */
let buffer = new Uint8Array(0);

/**
 * Checks what the decoder does not check in the pages of a column chunk: checksums (if there are any), definition and
 * repetition levels, and the number of values. Holds one page at a time in memory.
 * @throws TaskFailure
 */
export async function checkPages(
  { fd, tailStart }: Pick<ParquetSetup, "fd" | "tailStart">,
  chunk: ColumnChunk,
  rowGroup: string,
): Promise<void> {
  const { leaf, start, bytes, compression } = chunk;
  const where = `${rowGroup}: column ${leaf.column}`;
  const end = start + bytes;
  if (start < 0 || bytes < 0 || end > tailStart)
    throw damaged(
      where,
      `expected pages before the footer at byte ${tailStart}, found bytes ${start} to ${end}`,
    );
  if (!(await loadCodec(compression))) return;
  let values = 0;
  for (let at = start, n = 0; at < end; n++) {
    const pageWhere = `${where}, page ${n}`;
    const page = readHeader(fd, at, end);
    if (!page) throw damaged(pageWhere, `no valid page header at byte ${at}`);
    const { header, headerBytes, pageBytes } = page;
    const contentStart = at + headerBytes;
    const pageEnd = contentStart + pageBytes;
    if (pageEnd > end)
      throw damaged(
        pageWhere,
        `expected a page of at most ${end - at} bytes at byte ${at}, found ${pageEnd - at}`,
      );
    if (buffer.byteLength < pageBytes) buffer = new Uint8Array(pageBytes);
    const content = buffer.subarray(0, pageBytes);
    readParquet(fd, content, contentStart);
    try {
      checkChecksum(header, content);
      if (header.type === DATA_PAGE || header.type === DATA_PAGE_V2)
        values += checkData(header, content, chunk);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      throw damaged(pageWhere, error.message);
    }
    at = pageEnd;
  }
  if (values !== chunk.values)
    throw damaged(
      where,
      `expected ${chunk.values} values as declared in the footer, found ${values}`,
    );
}

function checkChecksum({ crc }: PageHeader, content: Uint8Array): void {
  if (crc === undefined) return;
  const found = crc32(content);
  if (found !== crc >>> 0)
    throw new Damaged(
      `expected checksum ${hexadecimal(crc >>> 0)}, found ${hexadecimal(found)}`,
    );
}

/** Checks the levels of a data page; returns its number of values. @throws Damaged */
function checkData(
  { type, decodedBytes = -1, v1 = {}, v2 = {} }: PageHeader,
  content: Uint8Array,
  { leaf: { maxRepetition, maxDefinition }, compression }: ColumnChunk,
): number {
  const isV2 = type === DATA_PAGE_V2;
  const { values = -1 } = isV2 ? v2 : v1;
  if (values < 0)
    throw new Damaged(`expected 0 or more values, found ${values}`);
  // Levels of version 2 are never compressed.
  const start = isV2
    ? pageStart("uncompressed", content, content.byteLength)
    : pageStart(compression, content, decodedBytes);
  let at = 0;
  for (const [kind, max] of [
    ["repetition", maxRepetition],
    ["definition", maxDefinition],
  ] as const) {
    if (max === 0 && !isV2) continue;
    // The field is the encoding of the levels in version 1, and their length in bytes in version 2.
    const { [kind]: stored = -1 } = isV2 ? v2 : v1;
    let bytes = stored;
    if (!isV2) {
      if (stored !== RLE)
        throw new Damaged(
          `expected ${kind} levels encoded as RLE, found encoding ${stored}`,
        );
      const length = start(at + 4).subarray(at, at + 4);
      bytes = new DataView(length.buffer, length.byteOffset).getUint32(0, true);
      at += 4;
    }
    if (bytes < 0)
      throw new Damaged(
        `expected 0 or more bytes of ${kind} levels, found ${bytes}`,
      );
    const section = start(at + bytes).subarray(at, at + bytes);
    at += bytes;
    if (max > 0) checkLevels(section, kind, max, values);
  }
  return values;
}

// The levels of a page (parquet-format, Encodings.md, "RLE/Bit-Packing Hybrid"), with the bits of the maximum level:
//
//   run: varint 2 n     | level in whole bytes                 n times the same level
//        varint 2 n + 1 | 8 n levels, lowest bits first        the last run may be padded

/**
 * Checks that a section has `values` levels, none above `max` (at most 255): the decoder would store zeros for their
 * values.
 * @throws Damaged
 */
function checkLevels(
  section: Uint8Array,
  kind: string,
  max: number,
  values: number,
): void {
  const bits = 32 - Math.clz32(max);
  const mask = (1 << bits) - 1;
  let at = 0;
  let seen = 0;
  const take = (bytes: number): number => {
    at += bytes;
    if (at > section.length)
      throw new Damaged(
        `expected ${values} ${kind} levels as declared in the page header, found ${seen}`,
      );
    return at - bytes;
  };
  const check = (level: number) => {
    if (level > max)
      throw new Damaged(
        `expected ${kind} levels of at most ${max}, found ${level}`,
      );
  };
  while (seen < values) {
    let header = 0;
    let byte = 128;
    for (let factor = 1; byte >= 128; factor *= 128) {
      byte = section[take(1)] as number;
      header += (byte & 127) * factor;
    }
    const run = Math.floor(header / 2);
    if (header % 2 === 0) {
      check(section[take(1)] as number);
      seen += run;
      continue;
    }
    const count = Math.min(8 * run, values - seen);
    const start = take(Math.ceil((count * bits) / 8));
    // If all bits of the maximum level are set, no level can exceed it.
    for (let k = 0; k < count && mask > max; k++) {
      const first = start + ((k * bits) >>> 3);
      const [low = 0, high = 0] = section.subarray(first, first + 2);
      check((((high << 8) | low) >>> ((k * bits) & 7)) & mask);
    }
    // The bytes of padding levels may be missing.
    at = Math.min(start + run * bits, section.length);
    seen += count;
  }
}

/** Returns the page header at a position, or null if there is no valid one. */
function readHeader(
  fd: number,
  at: number,
  end: number,
): { header: PageHeader; headerBytes: number; pageBytes: number } | null {
  for (let length = HEADER_BYTES; ; length *= 16) {
    const bytes = new Uint8Array(Math.min(length, end - at));
    readParquet(fd, bytes, at);
    try {
      const { value, end: headerBytes } = decodeThrift(bytes, PAGE_HEADER);
      const { pageBytes = -1 } = value;
      return pageBytes < 0 ? null : { header: value, headerBytes, pageBytes };
    } catch (error) {
      if (!(error instanceof MalformedThrift)) throw error;
      if (bytes.byteLength === end - at) return null;
    }
  }
}

/** Fills `target` from the Parquet file. @throws TaskFailure if the file has become shorter or cannot be read */
export function readParquet(
  fd: number,
  target: Uint8Array,
  position: number,
): void {
  withSide("input", () => readFully(fd, target, position), "file");
}

function hexadecimal(value: number): string {
  return value.toString(16).padStart(8, "0");
}
