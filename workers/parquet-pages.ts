import { crc32 } from "node:zlib";
import type { ColumnChunk } from "../src/input/parquet/file-metadata.js";
import type { ParquetSetup } from "../src/input/parquet/protocol.js";
import {
  decodeThrift,
  MalformedThrift,
  type Shaped,
} from "../src/input/parquet/thrift.js";
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

/** A PageHeader of parquet.thrift. */
const PAGE_HEADER = {
  1: ["type", "integer"],
  2: ["decodedBytes", "integer"],
  3: ["pageBytes", "integer"],
  4: ["crc", "integer"],
  5: [
    "v1",
    {
      1: ["values", "integer"],
      2: ["encoding", "integer"],
      3: ["definition", "integer"],
      4: ["repetition", "integer"],
    },
  ],
  8: [
    "v2",
    {
      1: ["values", "integer"],
      2: ["nulls", "integer"],
      3: ["rows", "integer"],
      4: ["encoding", "integer"],
      5: ["definition", "integer"],
      6: ["repetition", "integer"],
      7: ["isCompressed", "flag"],
    },
  ],
} as const;

type PageHeader = Shaped<typeof PAGE_HEADER>;

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
    const pageWhere = `${where}, page ${page}`;
    const found = readHeader(fd, at, end);
    if (!found) throw damaged(pageWhere, `no valid page header at byte ${at}`);
    const { header, headerBytes, pageBytes } = found;
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
      if (header.type === DATA_PAGE || header.type === DATA_PAGE_V2) {
        const counts = checkData(header, content, chunk, values === 0);
        rows += counts.rows;
        values += counts.values;
      }
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      throw damaged(pageWhere, error.message);
    }
    at = pageEnd;
  }
  expectCount(where, "values", chunk.values, values);
  expectCount(where, "rows", groupRows, rows);
}

function checkChecksum({ crc }: PageHeader, content: Uint8Array): void {
  if (crc === undefined) return;
  const found = crc32(content);
  if (found !== crc >>> 0)
    throw new Damaged(
      `expected checksum ${hexadecimal(crc >>> 0)}, found ${hexadecimal(found)}`,
    );
}

/** Checks a data page against its header and the schema; returns its numbers of values and rows. @throws Damaged */
function checkData(
  { type, decodedBytes = -1, v1 = {}, v2 = {} }: PageHeader,
  content: Uint8Array,
  { leaf: { maxRepetition, maxDefinition }, compression }: ColumnChunk,
  firstOfChunk: boolean,
): { values: number; rows: number } {
  const isV2 = type === DATA_PAGE_V2;
  const { values = -1, encoding = -1 } = isV2 ? v2 : v1;
  if (values < 0)
    throw new Damaged(`expected 0 or more values, found ${values}`);
  // Levels of version 2 are never compressed.
  const start = isV2
    ? pageStart("uncompressed", content, content.byteLength)
    : pageStart(compression, content, decodedBytes);
  let at = 0;
  const count = (kind: "repetition" | "definition", max: number) => {
    if (max === 0 && !isV2) return null;
    // Version 1 stores the encoding of a section of levels here, version 2 its length.
    const { [kind]: stored = -1 } = isV2 ? v2 : v1;
    let bytes = stored;
    if (isV2) {
      if (bytes < 0)
        throw new Damaged(
          `expected 0 or more bytes of ${kind} levels, found ${bytes}`,
        );
    } else if (stored === RLE) {
      const length = start(at + 4).subarray(at, at + 4);
      bytes = new DataView(length.buffer, length.byteOffset).getUint32(0, true);
      at += 4;
    } else
      throw new Damaged(
        `expected ${kind} levels encoded as RLE, found encoding ${stored}`,
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
  if (isV2) {
    const { rows: declaredRows = -1, nulls: declaredNulls = -1 } = v2;
    expectDeclared("rows", declaredRows, rows);
    // pyarrow counts neither empty lists nor null structs in lists among the nulls.
    const isFewer = repetition && declaredNulls >= 0 && declaredNulls < nulls;
    if (!isFewer) expectDeclared("nulls", declaredNulls, nulls);
  }
  if (DICTIONARY.includes(encoding)) {
    const bytes = decodedBytes - at;
    // Of version 2 the levels come before the compressed part.
    const indices = isV2
      ? pageStart(
          v2.isCompressed === false ? "uncompressed" : compression,
          content.subarray(at),
          bytes,
        )(bytes)
      : start(decodedBytes).subarray(at, decodedBytes);
    checkIndices(indices, values - nulls);
  }
  return { values, rows };
}

function expectDeclared(what: string, declared: number, found: number): void {
  if (declared !== found)
    throw new Damaged(
      `expected ${declared} ${what} as declared in the page header, found ${found}`,
    );
}

/** Reads the header of the page at a position; null where there is none that makes sense. */
function readHeader(
  fd: number,
  at: number,
  end: number,
): { header: PageHeader; headerBytes: number; pageBytes: number } | null {
  for (let length = HEADER_BYTES; ; length *= 16) {
    const bytes = new Uint8Array(Math.min(length, end - at));
    readParquet(fd, bytes, at);
    try {
      const found = decodeThrift(bytes, PAGE_HEADER);
      const { pageBytes = -1 } = found.value;
      const header = { header: found.value, headerBytes: found.end, pageBytes };
      return pageBytes < 0 ? null : header;
    } catch (error) {
      if (!(error instanceof MalformedThrift)) throw error;
      if (bytes.byteLength === end - at) return null;
    }
  }
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
