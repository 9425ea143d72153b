import type { InputFile } from "../input-file.js";
import { readInput } from "../read-input.js";
import { npyHeader } from "./npy-header.js";
import type { ArrayContainer } from "./stored-array.js";

/**
 * An .npy file: one array, without a name.
 * @throws InputFormatError, IoError
 */
export async function openNpy(file: InputFile): Promise<ArrayContainer> {
  const { start, ...array } = await npyHeader({
    path: file.path,
    where: "header",
    bytes: file.bytes,
    head: (bytes) => {
      const head = new Uint8Array(Math.min(bytes, file.bytes));
      readInput(file, head, 0);
      return head;
    },
  });
  return {
    arrays: [{ ...array, name: null }],
    place: async () => ({ fd: file.fd, start: () => start, close: () => {} }),
  };
}
