import type { NumberType } from "../../arrow/field.js";
import { InputFormatError } from "../../errors.js";
import { type InputFile, inputReader } from "../read-input.js";
import { BOOLEANS, bigEndian } from "./number-coding.js";
import {
  type ArrayContainer,
  bytesOf,
  isShape,
  type StoredArray,
} from "./stored-array.js";

// The .npy format (numpy/lib/format.py):
//
//   93 N U M P Y | major | minor | header length: uint16 (version 1), uint32 (2 and 3) | header | values
//
// The header is a Python dictionary of descr, fortran_order and shape, padded with spaces.

const MAGIC = "\x93NUMPY";

/** Far above the header of any array of numbers; NumPy itself rejects more than 10,000 bytes. */
const MAX_HEADER_BYTES = 1 << 20;

/** Size of the first read; NumPy's headers have 128 bytes or a little more. */
const HEAD_BYTES = 4096;

/** Opens an .npy file, which has one array without a name. @throws InputFormatError, IoError */
export async function openNpy(file: InputFile): Promise<ArrayContainer> {
  const { path, bytes } = file;
  const read = inputReader(file);
  const head = (wanted: number) => read(0, Math.min(wanted, bytes));
  const array = await npyHeader({ path, where: "header", bytes, head });
  return { arrays: [{ ...array, name: null }] };
}

/** Source of the bytes of an .npy file or of a member of an archive. */
interface NpyBytes {
  path: string;
  /** Location for messages, such as `header` or `member y.npy`. */
  where: string;
  bytes: number;
  /** Returns the first `bytes` bytes, or all if there are fewer. */
  head(bytes: number): Uint8Array | Promise<Uint8Array>;
}

/**
 * Reads the header of an .npy file, and checks that the values of a supported type have the size that the shape implies.
 * @throws InputFormatError, IoError
 */
export async function npyHeader(
  source: NpyBytes,
): Promise<Omit<StoredArray, "name">> {
  const { path, where, bytes } = source;
  const fail = (text: string): never => {
    throw new InputFormatError(path, where, text);
  };
  let head = await source.head(HEAD_BYTES);
  const magic = String.fromCharCode(...head.subarray(0, MAGIC.length));
  if (magic !== MAGIC)
    fail(
      `expected \\x93NUMPY in the first bytes, found ${JSON.stringify(magic)}`,
    );
  const [major = 0, minor = 0] = head.subarray(6, 8);
  const prefix = major === 1 ? 10 : 12;
  if (head.length < prefix)
    fail(
      `expected at least ${prefix} bytes, found ${head.length}: the file is truncated`,
    );
  if (major < 1 || major > 3 || minor !== 0)
    fail(`expected version 1.0, 2.0 or 3.0, found ${major}.${minor}`);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const length =
    major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const room = Math.min(MAX_HEADER_BYTES, bytes - prefix);
  if (length > room)
    fail(
      `expected a header of at most ${room} bytes, found ${length}${length <= MAX_HEADER_BYTES ? ": the file is truncated" : ""}`,
    );
  const start = prefix + length;
  if (head.length < start) head = await source.head(start);
  const text = new TextDecoder(major === 3 ? "utf-8" : "latin1").decode(
    head.subarray(prefix, start),
  );
  const array = parseHeader(text, fail);
  const { type, coding, shape } = array;
  const expected = type && bytesOf({ type, coding, shape });
  if (type && expected !== bytes - start)
    fail(
      `expected ${expected ?? "at most 2^53 - 1"} bytes of values for shape (${shape.join(", ")}) of ${type}, found ${bytes - start}${expected && bytes - start < expected ? ": the file is truncated" : ""}`,
    );
  return { ...array, start };
}

const KEYS = ["descr", "fortran_order", "shape"];

function parseHeader(
  text: string,
  fail: (text: string) => never,
): Omit<StoredArray, "name" | "start"> {
  const header = parseDictionary(text);
  if (
    Object.keys(header ?? {})
      .sort()
      .join() !== KEYS.join()
  )
    fail(
      `expected a dictionary with the keys ${KEYS.join(", ")}, found ${JSON.stringify(text.trim().slice(0, 80))}`,
    );
  const { descr, fortran_order, shape } = header as Record<string, unknown>;
  const found = (value: unknown) => JSON.stringify(value).slice(0, 80);
  if (typeof fortran_order !== "boolean")
    return fail(
      `expected True or False for fortran_order, found ${found(fortran_order)}`,
    );
  if (!isShape(shape))
    return fail(
      `expected a shape of whole numbers from 0 to 2^53 - 1, found ${found(shape)}`,
    );
  if (typeof descr !== "string" && !Array.isArray(descr))
    return fail(`expected a type for descr, found ${found(descr)}`);
  const type =
    typeof descr === "string"
      ? npyType(descr)
      : { type: null, coding: null, stored: "a structured type" };
  return { ...type, shape, fortran: fortran_order };
}

/**
 * Parses a Python dictionary of strings, booleans, tuples and lists as JSON; null if it is another text. Python 2 writes u
 * before strings and L after long integers.
 */
function parseDictionary(text: string): object | null {
  const json = text
    .replaceAll(/u?['"]/g, '"')
    .replaceAll("(", "[")
    .replaceAll(")", "]")
    .replaceAll(/(?<=\d)L\b/g, "")
    .replaceAll(/,(?=\s*[\]}])/g, "")
    .replace(/\b(?:True|False)\b/, (word) => word.toLowerCase());
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

const TYPES: Record<string, string> = { f: "float", i: "int", u: "uint" };

/** Descriptions of types that are unsupported, or supported for some uses only, by type letter. */
const DESCRIPTIONS: Record<string, string> = {
  O: "Python objects; pickles are not supported",
  c: "complex numbers",
  b: "booleans",
  U: "text",
  S: "bytes",
  V: "raw bytes",
  M: "dates",
  m: "durations",
};

/** Parses a descr such as `<f8` or `|u1`. */
function npyType(
  descr: string,
): Pick<StoredArray, "type" | "coding" | "stored"> {
  const described =
    DESCRIPTIONS[descr.charAt(1)] ?? (descr.startsWith(">") && "big-endian");
  const text = descr.slice(0, 20);
  const stored = described ? `${text} (${described})` : text;
  if (descr === "|b1") return { type: "uint8", coding: BOOLEANS, stored };
  if (!/^(?:[<>](?:f[248]|[iu][1248])|\|[iu]1)$/.test(descr))
    return { type: null, coding: null, stored };
  const [order, kind, digit] = descr;
  const width = Number(digit) as 1 | 2 | 4 | 8;
  return {
    type: `${TYPES[kind as string]}${8 * width}` as NumberType,
    coding: order === ">" && width !== 1 ? bigEndian(width) : null,
    stored,
  };
}
