import { brotliCompressSync, gzipSync } from "node:zlib";

// Writes small Parquet files in which any number can be wrong.

/** Struct of Thrift's compact protocol: integers, strings, lists of structs and structs, by field number. */
export type Struct = {
  [id: number]: number | string | Struct | (Struct | number | string)[];
};

export interface Page {
  version: 1 | 2;
  /** Numbers in the header; default: those of the page. */
  values: number;
  rows?: number;
  nulls?: number;
  /** Levels without their length; empty for none. */
  repetition: number[];
  definition: number[];
  /** Stated length of the definition levels; default: the actual one. */
  definitionBytes?: number;
  /** Encoding in the header; 3 is RLE. */
  levelEncoding?: number;
  data: number[];
  /** Bytes instead of the values: RLE_DICTIONARY indices into the dictionary of the column. */
  indices?: number[];
}

export interface Column {
  /** Schema elements below the root, starting with the top-level column. */
  schema: Struct[];
  pages: Page[];
  /** Values of the dictionary page. */
  dictionary?: number[];
  /** Number of values in the footer. */
  values: number;
  /** Fields of the ColumnMetaData to add or replace. */
  metadata?: Struct;
}

const DOUBLE = 5;
/** Codes of encodings. */
const PLAIN = 0;
const RLE_DICTIONARY = 8;
const REPETITION = { required: 0, optional: 1, repeated: 2 };

/** Schema of a column of lists of doubles, with definition levels up to 2, or 3 if lists are nullable. */
export function listSchema(list: "required" | "optional"): Struct[] {
  return [
    { 3: REPETITION[list], 4: "logits", 5: 1, 6: 3 },
    { 3: REPETITION.repeated, 4: "list", 5: 1 },
    { 1: DOUBLE, 3: REPETITION.optional, 4: "element" },
  ];
}

export function flatSchema(name: string): Struct[] {
  return [{ 1: DOUBLE, 3: REPETITION.optional, 4: name }];
}

/** Wraps bytes in the uncompressed form of each format. */
const CODECS: { [codec: number]: (data: number[]) => Iterable<number> } = {
  0: (data) => data,
  1: (data) => [
    ...varint(data.length),
    61 << 2,
    ...uint(data.length - 1, 2),
    ...data,
  ],
  2: (data) => gzipSync(Buffer.from(data)),
  4: (data) => brotliCompressSync(Buffer.from(data)),
  5: (data) => {
    const block = lz4(data);
    const sizes = [data.length, block.length];
    return [...sizes.flatMap((size) => uint(size, 4).reverse()), ...block];
  },
  // Frame with its content size in 4 bytes and a single raw block.
  6: (data) => [
    ...[0x28, 0xb5, 0x2f, 0xfd, 0xa0],
    ...uint(data.length, 4),
    ...uint(8 * data.length + 1, 3),
    ...data,
  ],
  7: lz4,
};

const compress = (data: number[], codec: number) => [
  ...(CODECS[codec]?.(data) ?? []),
];

interface FileOptions {
  rows: number;
  codec?: number;
  /** Number of top-level columns; differs from the leaves if there are structs. */
  topLevel?: number;
}

/** Returns a file with one row group. */
export function parquetFile(
  columns: Column[],
  { rows, codec = 0, topLevel = columns.length }: FileOptions,
): Buffer {
  const file = [...Buffer.from("PAR1")];
  const chunks = columns.map(({ schema, pages, values, ...column }) => {
    const start = file.length;
    if (column.dictionary)
      file.push(...dictionaryPage(column.dictionary, codec));
    const dataStart = file.length;
    for (const page of pages) file.push(...pageBytes(page, codec));
    const bytes = file.length - start;
    const path = schema.map((element) => element[4] as string);
    const places = { 4: codec, 5: values, 6: bytes, 7: bytes, 9: dataStart };
    const dictionary = column.dictionary ? { 11: start } : {};
    const own = { 1: DOUBLE, 2: [0], 3: path, ...places, ...dictionary };
    return { 2: start, 3: { ...own, ...column.metadata } };
  });
  const schema = [
    { 4: "schema", 5: topLevel },
    ...columns.flatMap((column) => column.schema),
  ];
  const groups = [{ 1: chunks, 2: file.length, 3: rows }];
  const footer = struct({ 1: 1, 2: schema, 3: rows, 4: groups });
  const end = [...footer, ...uint(footer.length, 4), ...Buffer.from("PAR1")];
  return Buffer.from([...file, ...end]);
}

function doubles(values: number[]): number[] {
  return [...new Uint8Array(Float64Array.from(values).buffer)];
}

function dictionaryPage(values: number[], codec: number): number[] {
  const numbers = doubles(values);
  const body = compress(numbers, codec);
  const header = { 1: values.length, 2: PLAIN };
  const fields = { 1: 2, 2: numbers.length, 3: body.length, 7: header };
  return [...struct(fields), ...body];
}

function pageBytes(page: Page, codec: number): number[] {
  const { values, rows = 0, nulls = 0, levelEncoding = 3, indices } = page;
  const { repetition, definition } = page;
  const definitionBytes = page.definitionBytes ?? definition.length;
  const prefixed = (levels: number[], length: number) =>
    levels.length === 0 ? levels : [...uint(length, 4), ...levels];
  const numbers = indices ?? doubles(page.data);
  const encoding = indices ? RLE_DICTIONARY : PLAIN;
  const levels =
    page.version === 1
      ? [
          ...prefixed(repetition, repetition.length),
          ...prefixed(definition, definitionBytes),
        ]
      : [...repetition, ...definition];
  const body =
    page.version === 1
      ? compress([...levels, ...numbers], codec)
      : [...levels, ...compress(numbers, codec)];
  const sizes = { 2: levels.length + numbers.length, 3: body.length };
  const encodings = { 2: encoding, 3: levelEncoding, 4: levelEncoding };
  const counts = { 1: values, 2: nulls, 3: rows, 4: encoding };
  const header: Struct =
    page.version === 1
      ? { 1: 0, ...sizes, 5: { 1: values, ...encodings } }
      : {
          ...{ 1: 3, ...sizes },
          8: { ...counts, 5: definitionBytes, 6: repetition.length },
        };
  return [...struct(header), ...body];
}

/** Readers accept 32-bit integers in 64-bit fields. */
function struct(fields: Struct): number[] {
  let last = 0;
  const bytes = Object.entries(fields).flatMap(([key, value]) => {
    const id = Number(key);
    const head = ((id - last) << 4) | typeOf(value);
    last = id;
    return [head, ...encoded(value)];
  });
  return [...bytes, 0];
}

function typeOf(value: Struct[number]): number {
  if (typeof value === "number") return 6;
  if (typeof value === "string") return 8;
  return Array.isArray(value) ? 9 : 12;
}

function encoded(value: Struct[number]): number[] {
  if (typeof value === "number")
    return varint(value < 0 ? -2 * value - 1 : 2 * value);
  if (typeof value === "string")
    return [...varint(value.length), ...Buffer.from(value)];
  if (!Array.isArray(value)) return struct(value);
  const [first = 0] = value;
  return [
    (value.length << 4) | (typeof first === "number" ? 5 : typeOf(first)),
    ...value.flatMap(encoded),
  ];
}

function varint(value: number): number[] {
  return value < 128
    ? [value]
    : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}

function uint(value: number, bytes: number): number[] {
  return Array.from(
    { length: bytes },
    (_, k) => Math.floor(value / 256 ** k) % 256,
  );
}

/** Returns a block of 15 to 269 literal bytes. */
function lz4(data: number[]): number[] {
  return [0xf0, data.length - 15, ...data];
}
