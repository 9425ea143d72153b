import type { NumberType } from "../../arrow/field.js";
import { InputFormatError } from "../../errors.js";
import { shortName } from "../../printable.js";
import type { InputFile } from "../input-file.js";
import { checkLimit } from "../limits.js";
import { readInput } from "../read-input.js";
import { repeatedKey } from "../repeated-key.js";
import { BOOLEANS, FLOAT8, type NumberCoding } from "./number-coding.js";
import {
  type ArrayContainer,
  bytesOf,
  type StoredArray,
} from "./stored-array.js";

// A safetensors file (huggingface.co/docs/safetensors):
//
//   uint64 header length | header: JSON | values
//
// The header maps names to { dtype, shape, data_offsets: [begin, end] }, which count from where the values start; the
// values of the tensors follow one another without a gap, to the end of the file.

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;

const TYPES: Record<string, NumberType> = {
  F16: "float16",
  BF16: "bfloat16",
  F32: "float32",
  F64: "float64",
  I8: "int8",
  I16: "int16",
  I32: "int32",
  I64: "int64",
  U8: "uint8",
  U16: "uint16",
  U32: "uint32",
  U64: "uint64",
  F8_E4M3: "float32",
  F8_E5M2: "float32",
  BOOL: "uint8",
};

const CODINGS: Record<string, NumberCoding> = { ...FLOAT8, BOOL: BOOLEANS };

interface Tensor extends StoredArray {
  begin: number;
  end: number;
}

/**
 * A safetensors file: arrays with names.
 * @throws InputFormatError, IoError
 */
export function openSafetensors(file: InputFile): ArrayContainer {
  const { path } = file;
  const prefix = new Uint8Array(8);
  readInput(file, prefix, 0);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  const room = Math.min(MAX_HEADER_BYTES, file.bytes - 8);
  if (length > room)
    throw new InputFormatError(
      path,
      "header",
      `expected a header of at most ${room} bytes, found ${length}${length <= MAX_HEADER_BYTES ? ": the file is truncated" : ""}`,
    );
  checkLimit(file, "header", "maxMetadataBytes", "bytes of metadata", length);
  const encoded = new Uint8Array(length);
  readInput(file, encoded, 8);
  const tensors = Object.entries(decodeHeader(path, encoded))
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => tensor(path, name, entry));
  const start = 8 + length;
  checkOffsets(path, tensors, file.bytes - start);
  return {
    arrays: tensors,
    place: async () => ({
      fd: file.fd,
      start: (array) => start + (array as Tensor).begin,
      close: () => {},
    }),
  };
}

function decodeHeader(path: string, encoded: Uint8Array): object {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      encoded,
    );
    header = JSON.parse(text);
  } catch (cause) {
    throw new InputFormatError(
      path,
      "header",
      `not valid JSON (it starts with ${JSON.stringify(String.fromCharCode(...encoded.subarray(0, 20)))})`,
      { cause },
    );
  }
  const twice = repeatedKey(text);
  if (twice !== null)
    throw new InputFormatError(
      path,
      "header",
      `the key ${shortName(twice)} appears twice`,
    );
  // Its first character is an opening brace: that is how the file was told.
  return header as object;
}

function tensor(path: string, name: string, entry: unknown): Tensor {
  const fail = (text: string): never => {
    throw new InputFormatError(path, `tensor ${name}`, text);
  };
  const { dtype, shape, data_offsets } = (entry ?? {}) as Record<
    string,
    unknown
  >;
  if (
    typeof dtype !== "string" ||
    !isLengths(shape) ||
    !isLengths(data_offsets)
  )
    return fail(
      `expected dtype, shape and data_offsets (whole numbers from 0 to 2^53 - 1), found ${JSON.stringify(entry)?.slice(0, 100)}`,
    );
  const [begin, end, ...more] = data_offsets;
  if (begin === undefined || end === undefined || end < begin || more.length)
    return fail(
      `expected [begin, end] for data_offsets, found [${data_offsets.slice(0, 8).join(", ")}]`,
    );
  const type = Object.hasOwn(TYPES, dtype)
    ? (TYPES[dtype] as NumberType)
    : null;
  const coding = (type && CODINGS[dtype]) ?? null;
  const bytes = type && bytesOf({ type, coding, shape });
  if (type && bytes !== end - begin)
    return fail(
      `expected ${bytes ?? "at most 2^53 - 1"} bytes of values for shape [${shape.join(", ")}] of ${coding ? dtype : type}, found ${end - begin}`,
    );
  const stored = dtype;
  return { name, type, coding, stored, shape, fortran: false, begin, end };
}

function isLengths(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((length) => Number.isSafeInteger(length) && length >= 0)
  );
}

/** The tensors one after another, none over another, no byte that is no tensor's. */
function checkOffsets(path: string, tensors: Tensor[], bytes: number): void {
  const inOrder = tensors.toSorted(
    (a, b) => a.begin - b.begin || a.end - b.end,
  );
  let free = 0;
  for (const { name, begin, end } of inOrder) {
    if (begin !== free || end > bytes)
      throw new InputFormatError(
        path,
        `tensor ${name}`,
        `expected values from byte ${free} to at most ${bytes}, found bytes ${begin} to ${end}${end > bytes ? ": the file is truncated" : ""}`,
      );
    free = end;
  }
  if (free !== bytes)
    throw new InputFormatError(
      path,
      "values",
      `expected ${free} bytes as declared in the header, found ${bytes}`,
    );
}
