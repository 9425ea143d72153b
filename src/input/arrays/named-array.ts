import { LogitsColumnError } from "../../errors.js";
import { BOOLEANS } from "./number-coding.js";
import { listedArrays, type StoredArray } from "./stored-array.js";

/** An array of numbers, of which every row has as many. */
export interface NumberArray extends StoredArray {
  type: NonNullable<StoredArray["type"]>;
}

/** The array that an option names. @throws LogitsColumnError where there is not one of that name */
export function namedArray(
  path: string,
  arrays: readonly StoredArray[],
  option: string,
  name: string,
): StoredArray {
  refuseUnnamed(path, arrays, option);
  const found = arrays.filter((array) => array.name === name);
  if (found.length === 1) return found[0] as StoredArray;
  throw new LogitsColumnError(
    path,
    `${option}: ${notOneArray(found.length, arrays)}`,
  );
}

/** @throws LogitsColumnError where an option names an array in a file of one array without a name */
export function refuseUnnamed(
  path: string,
  arrays: readonly StoredArray[],
  option: string,
): void {
  if (arrays[0]?.name === null)
    throw new LogitsColumnError(
      path,
      `${option}: an .npy file holds one array without a name; ${option.startsWith("--column") ? "omit the option" : "save several arrays as .npz or safetensors"}`,
    );
}

/** The message for a name that `found` arrays have, where that is not one. */
export function notOneArray(
  found: number,
  arrays: readonly StoredArray[],
): string {
  return found === 0
    ? `no such array; the file has ${listedArrays(arrays)}`
    : `${found} arrays have this name`;
}

/** Whether an array has numbers; labels may be booleans as well. */
export function isNumbers(array: StoredArray): array is NumberArray {
  return array.type !== null && array.coding !== BOOLEANS;
}

export function isFloat(type: string): boolean {
  return type.includes("float");
}

export function whereOf({ name }: StoredArray): string {
  return name === null ? "array" : `array ${name}`;
}

/** Advice by unsupported type, named as .npy and safetensors files name it. */
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

/** Adds what to do about arrays whose type is not supported, or else `advice`. */
export function withAdvice(
  text: string,
  arrays: readonly StoredArray[],
  advice?: string,
): string {
  const [, found = advice] =
    TYPE_ADVICE.find(([type]) =>
      arrays.some(({ stored }) => type.test(stored)),
    ) ?? [];
  return found ? `${text}; ${found}` : text;
}
