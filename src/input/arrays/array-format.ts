import type { InputFormat } from "../input-format.js";
import type { OpenArrays } from "./stored-array.js";

/** How files of the formats of arrays are opened; loaded for such files alone. */
const OPENERS: Partial<Record<InputFormat, () => Promise<OpenArrays>>> = {
  npy: async () => (await import("./npy.js")).openNpy,
  npz: async () => (await import("./npz.js")).openNpz,
  safetensors: async () => (await import("./safetensors.js")).openSafetensors,
};

/** The function that opens a file of arrays; null for a format of columns. */
export async function arraysOpener(
  format: InputFormat,
): Promise<OpenArrays | null> {
  return (await OPENERS[format]?.()) ?? null;
}
