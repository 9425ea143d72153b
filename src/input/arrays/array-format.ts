import type { InputFormat } from "../input-format.js";
import type { OpenArrays } from "./stored-array.js";

/** Functions that open files of arrays, by format; each is imported when a file needs it. */
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
