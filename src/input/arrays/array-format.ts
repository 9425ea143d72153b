import type { InputFile } from "../input-file.js";
import { readInput } from "../read-input.js";
import type { OpenArrays } from "./stored-array.js";

type ArrayFormatName = "npy" | "npz" | "safetensors";

/** How files of a format of arrays are opened; loaded for such files alone. */
const OPENERS: Record<ArrayFormatName, () => Promise<OpenArrays>> = {
  npy: async () => (await import("./npy.js")).openNpy,
  npz: async () => (await import("./npz.js")).openNpz,
  safetensors: async () => (await import("./safetensors.js")).openSafetensors,
};

/** Format of array files, with the function that opens them. */
export interface ArrayFormat {
  name: ArrayFormatName;
  open: OpenArrays;
}

const MAGICS: readonly [magic: string, name: ArrayFormatName][] = [
  ["\x93NUMPY", "npy"],
  ["PK\x03\x04", "npz"],
];

/** Which file of arrays it is, by its first bytes; null where they are of no such file. */
export async function arrayFormat(
  file: InputFile,
): Promise<ArrayFormat | null> {
  const name = arrayFormatName(file);
  return name && { name, open: await OPENERS[name]() };
}

export function arrayFormatName(file: InputFile): ArrayFormatName | null {
  const head = new Uint8Array(Math.min(9, file.bytes));
  readInput(file, head, 0);
  const start = String.fromCharCode(...head);
  const known = MAGICS.find(([magic]) => start.startsWith(magic));
  if (known) return known[1];
  // safetensors have no magic: the length of a header in 64 bits, of which 27 are enough, and a JSON object.
  return start.endsWith("\0\0\0\0{") && head.length === 9
    ? "safetensors"
    : null;
}
