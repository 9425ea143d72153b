import type { InputFile } from "../input-file.js";
import { readInput } from "../read-input.js";
import { openNpy } from "./npy.js";
import { openNpz } from "./npz.js";
import { openSafetensors } from "./safetensors.js";
import type { OpenArrays } from "./stored-array.js";

/** A format of arrays, and how its files are opened. */
export interface ArrayFormat {
  name: "npy" | "npz" | "safetensors";
  open: OpenArrays;
}

const MAGICS: readonly [magic: string, format: ArrayFormat][] = [
  ["\x93NUMPY", { name: "npy", open: openNpy }],
  ["PK\x03\x04", { name: "npz", open: openNpz }],
];

/** Which file of arrays it is, by its first bytes; null where they are of no such file. */
export function arrayFormat(file: InputFile): ArrayFormat | null {
  const head = new Uint8Array(Math.min(9, file.bytes));
  readInput(file, head, 0);
  const start = String.fromCharCode(...head);
  const known = MAGICS.find(([magic]) => start.startsWith(magic));
  if (known) return known[1];
  // safetensors have no magic: the length of a header in 64 bits, of which 27 are enough, and a JSON object.
  return start.endsWith("\0\0\0\0{") && head.length === 9
    ? { name: "safetensors", open: openSafetensors }
    : null;
}
