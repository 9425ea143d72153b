import { crc32 } from "node:zlib";
import type { ColumnChunk } from "../src/input/parquet/file-metadata.js";
import type { ParquetSetup } from "../src/input/parquet/protocol.js";
import { MalformedThrift, ThriftReader } from "../src/input/parquet/thrift.js";
import { Damaged } from "./decompress/failure.js";
import { ParquetFailure } from "./parquet-failure.js";
import { checkIndices, countLevels } from "./parquet-levels.js";
import { loadCodec, pageStart } from "./parquet-page-start.js";
import { readParquet } from "./parquet-read.js";

/** Page headers are short, but for those with long least and greatest values. */
const HEADER_BYTES = 512;

/** PageType, as stored. */
const DATA_PAGE = 0;
const DATA_PAGE_V2 = 3;

/** The encoding of levels. Readers disagree on the order of bits in the one that it replaced: it is refused. */
const RLE = 3;

/** Encodings of values as indices of a dictionary: PLAIN_DICTIONARY and RLE_DICTIONARY. */
const DICTIONARY = [2, 8];

/** A PageHeader of parquet.thrift: missing numbers are -1. */
interface PageHeader {
  headerBytes: number;
  type: number;
  decodedBytes: number;
  pageBytes: number;
  crc: number | null;
  data: DataHeader | null;
}

/** The header of data inside it. */
interface DataHeader {
  values: number;
  encoding: number;
  /** Of version 2 pages. */
  v2: { nulls: number; rows: number; isCompressed: boolean } | null;
  repetition: LevelsHeader;
  definition: LevelsHeader;
}

/** Version 1 stores the encoding of a section of levels, version 2 its length. */
interface LevelsHeader {
  encoding: number;
  bytes: number;
}

/**
 * Checks what the decoder takes for granted in the pages of a column chunk: checksums (where their writer made some),
 * definition and repetition levels, and the counts of values, nulls and rows. One page at a time is in memory.
 * @throws ParquetFailure
 */
export async function checkPages(
  { fd, tailStart }: ParquetSetup,
  chunk: ColumnChunk,
  groupRows: number,
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
  let buffer = new Uint8Array(0);
  let values = 0;
  let rows = 0;
  for (let at = start, page = 0; at < end; page++) {
    const header = readHeader(fd, at, end);
    const pageEnd = header ? at + header.headerBytes + header.pageBytes : 0;
    if (!header || pageEnd > end)
      throw damaged(
        `${where}, page ${page}`,
        header
          ? `expected a page of at most ${end - at} bytes at byte ${at}, found ${pageEnd - at}`
          : `no valid page header at byte ${at}`,
      );
    if (buffer.byteLength < header.pageBytes)
      buffer = new Uint8Array(header.pageBytes);
    const content = buffer.subarray(0, header.pageBytes);
    readParquet(fd, content, at + header.headerBytes);
    try {
      checkChecksum(header, content);
      if (header.data) {
        rows += checkLevels(header, header.data, content, chunk, values === 0);
        values += header.data.values;
      }
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      throw damaged(`${where}, page ${page}`, error.message);
    }
    at = pageEnd;
  }
  expectCount(where, "values", chunk.values, values);
  expectCount(where, "rows", groupRows, rows);
}

function checkChecksum({ crc }: PageHeader, content: Uint8Array): void {
  if (crc === null) return;
  const found = crc32(content);
  if (found !== crc >>> 0)
    throw new Damaged(
      `expected checksum ${hexadecimal(crc >>> 0)}, found ${hexadecimal(found)}`,
    );
}

/** Checks the levels of a data page against its header and the schema; returns its number of rows. @throws Damaged */
function checkLevels(
  { pageBytes, decodedBytes }: PageHeader,
  { values, encoding, v2, ...sections }: DataHeader,
  content: Uint8Array,
  { leaf: { maxRepetition, maxDefinition }, compression }: ColumnChunk,
  firstOfChunk: boolean,
): number {
  if (values < 0)
    throw new Damaged(`expected 0 or more values, found ${values}`);
  // Levels of version 2 are never compressed.
  const start = v2
    ? pageStart("uncompressed", content, pageBytes)
    : pageStart(compression, content, decodedBytes);
  let at = 0;
  const count = (kind: "repetition" | "definition", max: number) => {
    if (max === 0 && !v2) return null;
    let { bytes } = sections[kind];
    if (v2) {
      if (bytes < 0)
        throw new Damaged(
          `expected 0 or more bytes of ${kind} levels, found ${bytes}`,
        );
    } else if (sections[kind].encoding === RLE) {
      const length = start(at + 4).subarray(at, at + 4);
      bytes = new DataView(length.buffer, length.byteOffset).getUint32(0, true);
      at += 4;
    } else
      throw new Damaged(
        `expected ${kind} levels encoded as RLE, found encoding ${sections[kind].encoding}`,
      );
    const section = start(at + bytes).subarray(at, at + bytes);
    at += bytes;
    return max > 0 ? countLevels(section, { kind, max, values }) : null;
  };
  const repetition = count("repetition", maxRepetition);
  const definition = count("definition", maxDefinition);
  if (firstOfChunk && values > 0 && repetition && repetition.first !== 0)
    throw new Damaged(
      `expected a first repetition level of 0, found ${repetition.first}`,
    );
  const rows = repetition ? repetition.zeros : values;
  const nulls = definition ? values - definition.greatest : 0;
  // pyarrow counts neither empty lists nor null structs in lists among the nulls of a page of version 2.
  const declared = v2?.nulls ?? nulls;
  const isFewer = repetition && declared >= 0 && declared < nulls;
  for (const [what, stored, found] of [
    ["rows", v2?.rows ?? rows, rows],
    ["nulls", isFewer ? nulls : declared, nulls],
  ] as const)
    if (stored !== found)
      throw new Damaged(
        `expected ${stored} ${what} as declared in the page header, found ${found}`,
      );
  if (DICTIONARY.includes(encoding)) {
    const bytes = decodedBytes - at;
    // Of version 2 the levels stand before what is compressed.
    const indices = v2
      ? pageStart(
          v2.isCompressed ? compression : "uncompressed",
          content.subarray(at),
          bytes,
        )(bytes)
      : start(decodedBytes).subarray(at, decodedBytes);
    checkIndices(indices, values - nulls);
  }
  return rows;
}

/** Reads the header of the page at a position; null where there is none that makes sense. */
function readHeader(fd: number, at: number, end: number): PageHeader | null {
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

function decodeHeader(bytes: Uint8Array): PageHeader | null {
  const reader = new ThriftReader(bytes);
  /** Reads the first fields of a struct, which are integers; the others are skipped. */
  const integers = (
    count: number,
    flag?: (id: number, value: boolean) => void,
  ): number[] => {
    const found = new Array<number>(count + 1).fill(-1);
    reader.struct((id) => {
      if (id > count) return false;
      found[id] = reader.integer();
      return true;
    }, flag);
    return found;
  };
  const found: PageHeader = {
    headerBytes: 0,
    type: -1,
    decodedBytes: -1,
    pageBytes: -1,
    crc: null,
    data: null,
  };
  let v1: number[] = [];
  let v2: number[] = [];
  let isCompressed = true;
  reader.struct((id) => {
    if (id === 1) found.type = reader.integer();
    else if (id === 2) found.decodedBytes = reader.integer();
    else if (id === 3) found.pageBytes = reader.integer();
    else if (id === 4) found.crc = reader.integer();
    else if (id === 5) v1 = integers(4);
    else if (id === 8)
      v2 = integers(6, (flag, value) => {
        if (flag === 7) isCompressed = value;
      });
    else return false;
    return true;
  });
  found.headerBytes = reader.position;
  if (found.type === DATA_PAGE) {
    const [, values = -1, encoding = -1, definition = -1, repetition = -1] = v1;
    found.data = {
      values,
      encoding,
      v2: null,
      repetition: { encoding: repetition, bytes: -1 },
      definition: { encoding: definition, bytes: -1 },
    };
  }
  if (found.type === DATA_PAGE_V2) {
    const [, values = -1, nulls = -1, rows = -1, encoding = -1, ...bytes] = v2;
    const [definition = -1, repetition = -1] = bytes;
    found.data = {
      values,
      encoding,
      v2: { nulls, rows, isCompressed },
      repetition: { encoding: RLE, bytes: repetition },
      definition: { encoding: RLE, bytes: definition },
    };
  }
  return found.pageBytes < 0 ? null : found;
}

function damaged(where: string, text: string): ParquetFailure {
  return new ParquetFailure({ kind: "damaged", where, text });
}

function expectCount(
  where: string,
  what: string,
  expected: number,
  found: number,
): void {
  if (expected !== found)
    throw damaged(
      where,
      `expected ${expected} ${what} as declared in the footer, found ${found}`,
    );
}

function hexadecimal(value: number): string {
  return value.toString(16).padStart(8, "0");
}
