import type { NumberType } from "../../arrow/field.js";
import { numberWidth } from "../../arrow/field.js";
import type { InputFile } from "../input-file.js";
import type { OpenOptions } from "../logits-file.js";

/** An array in a file, as the file describes it. */
export interface StoredArray {
  /** null: the file holds one array, and no name. */
  name: string | null;
  /** null: a type that is not read. */
  type: NumberType | null;
  /** The type in the words of the file. */
  stored: string;
  shape: readonly number[];
  /** Whether the first index runs fastest (Fortran order), not the last. */
  fortran: boolean;
}

/** A file of arrays, its structure checked. */
export interface ArrayContainer {
  arrays: readonly StoredArray[];
  /**
   * Makes the values of arrays readable by position, after what checks the file has for them.
   * @throws InputFormatError, IoError, AbortedError
   */
  place(
    chosen: readonly StoredArray[],
    options: Pick<OpenOptions, "scratch" | "signal">,
  ): Promise<PlacedArrays>;
}

/** Where values can be read: in the input itself, or in a file that they were unpacked into. */
export interface PlacedArrays {
  fd: number;
  /** Byte of the first value. */
  start(array: StoredArray): number;
  /** Gives back what was taken beside the input. */
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

/** How many bytes they take; null where that is no such number. */
export function bytesOf(
  type: NumberType,
  shape: readonly number[],
): number | null {
  const bytes = (valuesOf(shape) ?? Number.NaN) * numberWidth(type);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** `logits: float32 [100, 10]` */
export function describeArray({
  name,
  type,
  stored,
  shape,
}: StoredArray): string {
  const own = `${type ?? stored} [${shape.join(", ")}]`;
  return name === null ? own : `${name}: ${own}`;
}

/** The arrays of a file, for messages: the first few. */
export function listedArrays(arrays: readonly StoredArray[]): string {
  const shown = arrays.slice(0, 8).map(describeArray);
  const more = arrays.length - shown.length;
  if (more > 0) shown.push(`${more} more`);
  return shown.length ? shown.join(", ") : "no arrays";
}
