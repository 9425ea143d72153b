import { InputFormatError } from "../../errors.js";
import { npyType } from "./npy-type.js";
import { type Literal, LiteralError, parseLiteral } from "./python-literal.js";
import { bytesOf, type StoredArray } from "./stored-array.js";

// NumPy's format for one array (numpy/lib/format.py):
//
//   93 N U M P Y | major | minor | header length: uint16 (version 1), uint32 (2 and 3) | header | values
//
// The header is a Python dictionary of descr, fortran_order and shape, padded with spaces.

const MAGIC = "\x93NUMPY";

/** Room for any header of an array of numbers; NumPy itself stops at 10,000. */
const MAX_HEADER_BYTES = 1 << 20;

/** Read at once: NumPy's headers have 128 bytes, or a little more. */
const HEAD_BYTES = 4096;

/** The bytes of an .npy file, or of a member of an archive. */
export interface NpyBytes {
  path: string;
  /** For messages: `header`, `member y.npy`. */
  where: string;
  bytes: number;
  /** The first `bytes` of them, fewer where there are no more. */
  head(bytes: number): Uint8Array | Promise<Uint8Array>;
}

export interface NpyHeader extends Omit<StoredArray, "name"> {
  /** Where the values start. */
  start: number;
}

/**
 * What an .npy file says of its array. The values of types that are read have exactly the bytes that the shape implies.
 * @throws InputFormatError, IoError
 */
export async function npyHeader(source: NpyBytes): Promise<NpyHeader> {
  const { path, where } = source;
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
  const lengthBytes = major === 1 ? 2 : 4;
  const prefix = 8 + lengthBytes;
  if (head.length < prefix)
    fail(
      `expected at least ${prefix} bytes, found ${head.length}: the file is truncated`,
    );
  if (major < 1 || major > 3 || minor !== 0)
    fail(`expected version 1.0, 2.0 or 3.0, found ${major}.${minor}`);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const length =
    major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const room = Math.min(MAX_HEADER_BYTES, source.bytes - prefix);
  if (length > room)
    fail(
      `expected a header of at most ${room} bytes, found ${length}${length <= MAX_HEADER_BYTES ? ": the file is truncated" : ""}`,
    );
  const start = prefix + length;
  if (head.length < start) head = await source.head(start);
  const text = new TextDecoder(major === 3 ? "utf-8" : "latin1").decode(
    head.subarray(prefix, start),
  );
  const header = { ...decodeHeader(text, fail), start };
  checkLength(source, header, fail);
  return header;
}

function decodeHeader(
  text: string,
  fail: (text: string) => never,
): Omit<NpyHeader, "start"> {
  let header: Literal = null;
  try {
    header = parseLiteral(text);
  } catch (error) {
    if (!(error instanceof LiteralError)) throw error;
    fail(error.message);
  }
  const keys = header instanceof Map ? [...header.keys()].sort() : [];
  if (!(header instanceof Map) || keys.join() !== "descr,fortran_order,shape")
    return fail(
      `expected a dictionary with the keys descr, fortran_order and shape, found ${keys.length ? keys.slice(0, 8).join(", ") : JSON.stringify(text.slice(0, 20))}`,
    );
  const descr = header.get("descr") as Literal;
  const fortran = header.get("fortran_order");
  const shape = header.get("shape") as Literal;
  if (typeof fortran !== "boolean")
    return fail(
      `expected True or False for fortran_order, found ${shown(fortran)}`,
    );
  if (!Array.isArray(shape) || !shape.every(isLength))
    return fail(
      `expected a shape of whole numbers from 0 to 2^53 - 1, found ${shown(shape)}`,
    );
  if (typeof descr !== "string" && !Array.isArray(descr))
    return fail(`expected a type for descr, found ${shown(descr)}`);
  return {
    ...(typeof descr === "string"
      ? npyType(descr)
      : { type: null, coding: null, stored: "a structured type" }),
    shape: shape as number[],
    fortran,
  };
}

function isLength(value: Literal): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function checkLength(
  { bytes }: NpyBytes,
  { type, coding, shape, start }: NpyHeader,
  fail: (text: string) => never,
): void {
  if (!type) return;
  const expected = bytesOf({ type, coding, shape });
  if (expected === null)
    fail(
      `expected a shape of at most 2^53 - 1 bytes, found (${shape.join(", ")}) of ${type}`,
    );
  const found = bytes - start;
  if (expected !== null && found !== expected)
    fail(
      `expected ${expected} bytes of values for shape (${shape.join(", ")}) of ${type}, found ${found}${found < expected ? ": the file is truncated" : ""}`,
    );
}

function shown(value: Literal | undefined): string {
  if (value instanceof Map) return "a dictionary";
  if (Array.isArray(value))
    return `(${value.slice(0, 8).map(shown).join(", ")})`;
  return typeof value === "string"
    ? JSON.stringify(value.slice(0, 20))
    : String(value);
}
