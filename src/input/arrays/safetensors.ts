import type { NumberType } from "../../arrow/field.js";
import { InputFormatError } from "../../errors.js";
import { checkLimit } from "../../io/limits.js";
import { shortName } from "../../printable.js";
import { type InputFile, inputReader } from "../read-input.js";
import { repeatedKey } from "../repeated-key.js";
import {
  type ArrayContainer,
  bytesOf,
  isFloat8,
  isShape,
  type StoredArray,
} from "./stored-array.js";

// A safetensors file (huggingface.co/docs/safetensors):
//
//   uint64 header length | header: JSON | values
//
// The header maps names to { dtype, shape, data_offsets: [begin, end] }, with offsets from the start of the values. Tensors are
// contiguous and extend to the end of the file.

/** Limit of the format. */
const MAX_HEADER_BYTES = 100_000_000;

const KINDS: Record<string, string> = {
  BF: "bfloat",
  F: "float",
  I: "int",
  U: "uint",
};

/** Returns the type of a dtype such as `F32`; null if it is not supported. */
function typeOf(dtype: string): NumberType | null {
  const [, kind = "", bits] =
    /^(BF(?=16$)|F(?!8$)|[IU])(8|16|32|64)$/.exec(dtype) ?? [];
  if (dtype === "BOOL") return "uint8";
  if (isFloat8(dtype)) return "float32";
  return bits ? (`${KINDS[kind]}${bits}` as NumberType) : null;
}

/** Opens a safetensors file. @throws InputFormatError, IoError */
export function openSafetensors(file: InputFile): ArrayContainer {
  const fail = (where: string, text: string, cause?: unknown): never => {
    throw new InputFormatError(file.path, where, text, { cause });
  };
  const read = inputReader(file);
  const length = Number(new DataView(read(0, 8).buffer).getBigUint64(0, true));
  const room = Math.min(MAX_HEADER_BYTES, file.bytes - 8);
  if (length > room)
    fail(
      "header",
      `expected a header of at most ${room} bytes, found ${length}${length <= MAX_HEADER_BYTES ? ": the file is truncated" : ""}`,
    );
  checkLimit(file, "header", "maxMetadataBytes", length);
  const first = 8 + length;
  const tensors = Object.entries(parseHeader(read(8, length), fail))
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) =>
      tensor(name, entry, (text) => fail(`tensor ${name}`, text)),
    );
  checkOffsets(tensors, file.bytes - first, fail);
  return {
    arrays: tensors.map((array) => ({ ...array, start: first + array.begin })),
  };
}

type Fail = (where: string, text: string, cause?: unknown) => never;
type Tensor = Omit<StoredArray, "start"> & { begin: number; end: number };

/** Parses the header; the format detection has checked that it starts with a brace, so it is an object. */
function parseHeader(encoded: Uint8Array, fail: Fail): object {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const text = decoder.decode(encoded);
    const header = JSON.parse(text) as object;
    const key = repeatedKey(text);
    return key === null
      ? header
      : fail("header", `the key ${shortName(key)} appears twice`);
  } catch (cause) {
    if (cause instanceof InputFormatError) throw cause;
    const start = String.fromCharCode(...encoded.subarray(0, 20));
    return fail(
      "header",
      `not valid JSON (it starts with ${JSON.stringify(start)})`,
      cause,
    );
  }
}

function tensor(
  name: string,
  entry: unknown,
  fail: (text: string) => never,
): Tensor {
  const fields = (entry ?? {}) as Record<string, unknown>;
  const { dtype, shape, data_offsets: offsets } = fields;
  if (typeof dtype !== "string" || !isShape(shape) || !isShape(offsets))
    return fail(
      `expected dtype, shape and data_offsets (whole numbers from 0 to 2^53 - 1), found ${JSON.stringify(entry)?.slice(0, 100)}`,
    );
  const [begin, end, ...others] = offsets;
  if (begin === undefined || end === undefined || end < begin || others.length)
    return fail(
      `expected [begin, end] for data_offsets, found [${offsets.slice(0, 8).join(", ")}]`,
    );
  const type = typeOf(dtype);
  const coding = dtype === "BOOL" ? "boolean" : isFloat8(dtype) ? dtype : null;
  const bytes = type && bytesOf({ type, coding, shape });
  if (type && bytes !== end - begin)
    return fail(
      `expected ${bytes ?? "at most 2^53 - 1"} bytes of values for shape [${shape.join(", ")}] of ${coding ? dtype : type}, found ${end - begin}`,
    );
  const stored = dtype;
  return { name, type, coding, stored, shape, fortran: false, begin, end };
}

/** Checks that the tensors are contiguous and extend to the end of the file. */
function checkOffsets(tensors: Tensor[], bytes: number, fail: Fail): void {
  let free = 0;
  for (const { name, begin, end } of tensors.toSorted(
    (a, b) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== free || end > bytes)
      fail(
        `tensor ${name}`,
        `expected values from byte ${free} to at most ${bytes}, found bytes ${begin} to ${end}${end > bytes ? ": the file is truncated" : ""}`,
      );
    free = end;
  }
  if (free !== bytes)
    fail(
      "values",
      `expected ${free} bytes as declared in the header, found ${bytes}`,
    );
}
