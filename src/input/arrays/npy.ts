import type { NumberType } from "../../arrow/field.js";
import {
  type Fail,
  failing,
  type InputFile,
  inputReader,
} from "../read-input.js";
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
  const { where, bytes } = source;
  const fail = failing(source, where);
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

/** White space of Python; \s would match more. */
const SPACE = String.raw`[ \t\r\n]*`;

/**
 * Matches an entry of the dictionary: a key, and a string, word, tuple or list. A list extends to the next key. Python 2
 * writes u before strings and L after long integers.
 */
const KEY = String.raw`u?(['"])(\w+)\1${SPACE}:`;
const LIST = String.raw`\[.*?\](?=${SPACE}(?:,${SPACE})?(?:\}|u?['"]\w+['"]${SPACE}:))`;
const VALUE = String.raw`(u?'[^'\\\n]*'|u?"[^"\\\n]*"|\w+|\([^()]*\)|${LIST})`;
const ENTRY = new RegExp(
  [KEY, VALUE, String.raw`(?:,|(?=\}))`, ""].join(SPACE),
  "sy",
);

function parseHeader(
  text: string,
  fail: Fail,
): Omit<StoredArray, "name" | "start"> {
  const entries: [key: string, value: string][] = [];
  let at = /^[ \t\r\n]*\{[ \t\r\n]*/.exec(text)?.[0].length ?? 0;
  while (at > 0) {
    ENTRY.lastIndex = at;
    const [, , key, value] = ENTRY.exec(text) ?? [];
    if (key === undefined || value === undefined) break;
    entries.push([key, value]);
    at = ENTRY.lastIndex;
  }
  const keys = entries.map(([key]) => key).sort();
  if (
    keys.join() !== "descr,fortran_order,shape" ||
    !/^\}[ \t\r\n]*$/.test(text.slice(at))
  )
    fail(
      `expected a dictionary with the keys descr, fortran_order and shape, found ${JSON.stringify(text.slice(at, at + 20))} at character ${at}${keys.length ? ` after ${keys.slice(0, 8).join(", ")}` : ""}`,
    );
  const { descr, fortran_order, shape } = Object.fromEntries(entries) as Record<
    "descr" | "fortran_order" | "shape",
    string
  >;
  if (!/^(True|False)$/.test(fortran_order))
    fail(
      `expected True or False for fortran_order, found ${fortran_order.slice(0, 20)}`,
    );
  const lengths = parseShape(shape);
  if (!isShape(lengths))
    return fail(
      `expected a shape of whole numbers from 0 to 2^53 - 1, found ${shape.slice(0, 80)}`,
    );
  const [, , name] = /^u?(['"])(.*)\1$/.exec(descr) ?? [];
  if (name === undefined && !descr.startsWith("["))
    fail(`expected a type for descr, found ${descr.slice(0, 20)}`);
  return {
    ...(name === undefined
      ? { type: null, coding: null, stored: "a structured type" }
      : npyType(name)),
    shape: lengths,
    fortran: fortran_order === "True",
  };
}

/** Parses a tuple or list of whole numbers; other items become NaN. Returns null for `(3)`, which is a number in Python. */
function parseShape(text: string): number[] | null {
  if (!/^[([]/.test(text) || /^\(\s*\d+L?\s*\)$/.test(text)) return null;
  const items = text.slice(1, -1).split(",");
  if (/^[ \t\r\n]*$/.test(items.at(-1) ?? "")) items.pop();
  return items.map((item) =>
    /^[ \t\r\n]*\d+L?[ \t\r\n]*$/.test(item)
      ? Number.parseInt(item, 10)
      : Number.NaN,
  );
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
  if (descr === "|b1") return { type: "uint8", coding: "boolean", stored };
  if (!/^(?:[<>](?:f[248]|[iu][1248])|\|[iu]1)$/.test(descr))
    return { type: null, coding: null, stored };
  const [order, kind, digit] = descr;
  return {
    type: `${TYPES[kind as string]}${8 * Number(digit)}` as NumberType,
    coding: order === ">" ? "big-endian" : null,
    stored,
  };
}
