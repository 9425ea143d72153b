import { type NumberType, numberWidth } from "../../arrow/field.js";
import { LogitsColumnError } from "../../errors.js";
import { shortList } from "../../printable.js";
import type { NamedItems } from "../column-names.js";
import type { OpenOptions } from "../logits-file.js";
import type { InputFile } from "../read-input.js";

/** Array as a NumPy or safetensors file declares it. */
export interface StoredArray {
  /** Name of the array; null in an .npy file. */
  name: string | null;
  /** Type of the numbers; null if it is not supported. */
  type: NumberType | null;
  /** Whether the numbers are booleans of one byte, which are accepted as labels only. */
  isBoolean: boolean;
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
    options: Pick<OpenOptions, "scratch" | "signal">,
  ): Promise<UnpackedArrays>;
}

/** File with the values of arrays: the input itself, or a decompressed copy, which `close` closes. */
export interface UnpackedArrays {
  fd: number;
  /** Returns the byte offset of the first value of an array. */
  start(array: StoredArray): number;
  close(): void;
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
export function bytesOf({
  type,
  shape,
}: Pick<NumberArray, "type" | "shape">): number | null {
  if (shape.includes(0)) return 0;
  const bytes = shape.reduce((a, b) => a * b, numberWidth(type));
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Describes an array, as in `logits: float32 [100, 10]`. */
export function describeArray(array: StoredArray): string {
  const { name, type, isBoolean, stored, shape } = array;
  const text = `${isBoolean ? stored : (type ?? stored)} [${shape.join(", ")}]`;
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
  return array.type !== null && !array.isBoolean;
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
  [/^>[fiu]/, 'save x.astype(x.dtype.newbyteorder("<"))'],
  [/^F8_/, "save x.float()"],
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
