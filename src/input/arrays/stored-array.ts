import { type NumberType, numberWidth } from "../../arrow/field.js";
import { float16Value } from "../../arrow/stored-numbers.js";
import { LogitsColumnError } from "../../errors.js";
import { shortList } from "../../printable.js";
import type { NamedItems } from "../column-names.js";
import type { Opening } from "../logits-file.js";
import type { InputFile } from "../read-input.js";

/** Values of 8-bit floats (OCP 8-bit floating point, 2023), which are exact in float32, by safetensors name. */
const FLOAT8 = {
  // Sign, 4 bits of exponent and 3 bits of fraction: a float16 without its highest exponent bit; no infinities.
  F8_E4M3: float8((bits) =>
    (bits & 0x7f) === 0x7f
      ? Number.NaN
      : 2 ** 8 * float16Value(((bits & 0x80) << 8) | ((bits & 0x7f) << 7)),
  ),
  // The upper half of a float16.
  F8_E5M2: float8((bits) => float16Value(bits << 8)),
};

function float8(read: (bits: number) => number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, bits) => read(bits));
}

/** Array as a NumPy or safetensors file declares it. */
export interface StoredArray {
  /** Name of the array; null in an .npy file. */
  name: string | null;
  /** Type of the numbers; null if it is not supported. */
  type: NumberType | null;
  /** Big-endian numbers or 8-bit floats, which are decoded to a temporary file, or booleans of one byte, which are accepted as labels only. */
  coding: "big-endian" | "boolean" | keyof typeof FLOAT8 | null;
  /** Type as the file writes it. */
  stored: string;
  shape: readonly number[];
  /** Whether the array is in Fortran order (the first index changes fastest). */
  fortran: boolean;
  /** Byte offset of the first value: in the file, or in the decompressed member of an archive. */
  start: number;
}

export interface NumberArray extends StoredArray {
  type: NumberType;
}

/** File of arrays whose structure was validated. */
export interface ArrayContainer {
  arrays: readonly StoredArray[];
  /**
   * Makes the values of members of an archive readable by position, and verifies their checksums.
   * @throws InputFormatError, IoError, AbortedError
   */
  unpack?(
    chosen: readonly StoredArray[],
    options: Pick<Opening, "temporary" | "signal">,
  ): Promise<UnpackedArrays>;
}

/** File with the values of arrays: the input itself, or a decompressed copy. */
export interface UnpackedArrays {
  fd: number;
  /** Returns the byte offset of the first value of an array. */
  start(array: StoredArray): number;
}

export type OpenArrays = (
  file: InputFile,
) => ArrayContainer | Promise<ArrayContainer>;

/** Whether a header value is a list of whole numbers from 0 to 2^53 - 1. */
export function isShape(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((length) => Number.isSafeInteger(length) && length >= 0)
  );
}

/** Returns the size of the stored values in bytes; null if it exceeds 2^53 - 1. */
export function bytesOf(
  array: Pick<NumberArray, "type" | "coding" | "shape">,
): number | null {
  const { shape } = array;
  if (shape.includes(0)) return 0;
  const bytes = shape.reduce((a, b) => a * b, storedWidth(array));
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Returns the number of bytes of a stored number. */
export function storedWidth({
  type,
  coding,
}: Pick<NumberArray, "type" | "coding">): number {
  return isFloat8(coding) ? 1 : numberWidth(type);
}

/** Returns numbers as little-endian numbers of the array's type; may modify `stored`. */
export function decodeNumbers(
  { type, coding }: NumberArray,
  stored: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const width = numberWidth(type);
  if (coding === "big-endian" && width > 1)
    Buffer.from(stored.buffer)[`swap${(8 * width) as 16 | 32 | 64}`]();
  if (!isFloat8(coding)) return stored;
  const values = FLOAT8[coding];
  const numbers = new Float32Array(stored.length);
  for (let k = 0; k < stored.length; k++)
    numbers[k] = values[stored[k] as number] as number;
  return new Uint8Array(numbers.buffer);
}

/** Whether a safetensors type, or the coding of an array, is an 8-bit float. */
export function isFloat8(type: string | null): type is keyof typeof FLOAT8 {
  return type !== null && Object.hasOwn(FLOAT8, type);
}

/** Describes an array, as in `logits: float32 [100, 10]`. */
export function describeArray(array: StoredArray): string {
  const { name, type, coding, stored, shape } = array;
  const text = `${coding ? stored : (type ?? stored)} [${shape.join(", ")}]`;
  return name === null ? text : `${name}: ${text}`;
}

export function listedArrays(arrays: readonly StoredArray[]): string {
  return shortList(arrays, describeArray) || "no arrays";
}

/**
 * Returns the arrays of a file in the form in which options look up names.
 * @throws LogitsColumnError for an .npy file, whose array has no name
 */
export function namedArrays(
  path: string,
  arrays: readonly StoredArray[],
  option: string,
): NamedItems {
  if (arrays[0]?.name === null)
    throw new LogitsColumnError(
      path,
      `${option}: an .npy file holds one array without a name; ${option.startsWith("--column") ? "omit the option" : "save several arrays as .npz or safetensors"}`,
    );
  const names = arrays.map(({ name }) => name as string);
  return { path, kind: "array", names, list: () => listedArrays(arrays) };
}

/** Whether an array has a supported type other than booleans. */
export function isNumbers(array: StoredArray): array is NumberArray {
  return array.type !== null && array.coding !== "boolean";
}

export function isFloat(type: string): boolean {
  return type.includes("float");
}

export function whereOf({ name }: StoredArray): string {
  return name === null ? "array" : `array ${name}`;
}

/** Advice on unsupported types, by the type names of .npy and safetensors files. */
const TYPE_ADVICE: readonly [stored: RegExp, advice: string][] = [
  [
    /^[<>|]V2 /,
    "raw bytes of width 2 are probably bfloat16: save x.astype(numpy.float32), or save the array as safetensors",
  ],
  [/^[<>]c|^C64/, "save the real part, x.real"],
  [/^[<>]f\d\d/, 'save x.astype("f8")'],
  [/^\|O/, 'save numpy.stack(x).astype("f8")'],
  [/^[<>|][US]/, 'if the text is numbers, save x.astype("f8")'],
  [
    /^a structured/,
    "save numpy.lib.recfunctions.structured_to_unstructured(x)",
  ],
];

/** Appends advice on the first unsupported type among the arrays, or else `advice`. */
export function withAdvice(
  text: string,
  arrays: readonly StoredArray[],
  advice?: string,
): string {
  const [, typeAdvice = advice] =
    TYPE_ADVICE.find(([type]) =>
      arrays.some(({ stored }) => type.test(stored)),
    ) ?? [];
  return typeAdvice ? `${text}; ${typeAdvice}` : text;
}
