import type { NumberType } from "../../arrow/field.js";
import { numberWidth } from "../../arrow/field.js";
import type { InputFile } from "../input-file.js";
import type { OpenOptions } from "../logits-file.js";
import type { NumberCoding } from "./number-coding.js";

/** Array in a NumPy or safetensors file, as the file declares it. */
export interface StoredArray {
  /** Name of the array; null if the file has one array without a name. */
  name: string | null;
  /** Type of the numbers; null if it is not supported. */
  type: NumberType | null;
  /** Encoding of the numbers; absent for little-endian numbers of this type. */
  coding: NumberCoding | null;
  /** Type as the file writes it. */
  stored: string;
  shape: readonly number[];
  /** Whether the array is in Fortran order (the first index changes fastest). */
  fortran: boolean;
}

/** Arrays of a file whose structure was validated. */
export interface ArrayContainer {
  arrays: readonly StoredArray[];
  /**
   * Makes the values of arrays readable by position, after verifying their checksums if the file has any.
   * @throws InputFormatError, IoError, AbortedError
   */
  place(
    chosen: readonly StoredArray[],
    options: Pick<OpenOptions, "scratch" | "signal">,
  ): Promise<PlacedArrays>;
}

/** Location of array values: the input itself, or a file that they were decompressed to. */
export interface PlacedArrays {
  fd: number;
  /** Returns the byte offset of the first value. */
  start(array: StoredArray): number;
  /** Releases the decompressed copy, if there is one. */
  close(): void;
}

export type OpenArrays = (
  file: InputFile,
) => ArrayContainer | Promise<ArrayContainer>;

/** How many values a shape has; null where that is no number that can be counted to. */
export function valuesOf(shape: readonly number[]): number | null {
  if (shape.some((length) => !Number.isSafeInteger(length) || length < 0))
    return null;
  if (shape.includes(0)) return 0;
  const values = shape.reduce((product, length) => product * length, 1);
  return Number.isSafeInteger(values) ? values : null;
}

/** Number of stored bytes; null if it exceeds 2^53 - 1. */
export function bytesOf({
  type,
  coding,
  shape,
}: { type: NumberType } & Pick<StoredArray, "coding" | "shape">):
  | number
  | null {
  const width = coding?.width ?? numberWidth(type);
  const bytes = (valuesOf(shape) ?? Number.NaN) * width;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** `logits: float32 [100, 10]` */
export function describeArray({
  name,
  type,
  coding,
  stored,
  shape,
}: StoredArray): string {
  const own = `${coding ? stored : (type ?? stored)} [${shape.join(", ")}]`;
  return name === null ? own : `${name}: ${own}`;
}

/** The arrays of a file, for messages: the first few. */
export function listedArrays(arrays: readonly StoredArray[]): string {
  const shown = arrays.slice(0, 8).map(describeArray);
  const more = arrays.length - shown.length;
  if (more > 0) shown.push(`${more} more`);
  return shown.length ? shown.join(", ") : "no arrays";
}
