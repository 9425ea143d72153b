import { existsSync } from "node:fs";
import type { InputName } from "../../results/catalogue.js";
import { openInputFile } from "../input-file.js";
import { checkUnchanged } from "../input-state.js";
import { interpreting } from "../interpreting.js";
import type { OpenOptions } from "../logits-file.js";
import { checkedInput, type LogitsShape } from "./choose-others.js";
import { openNpy } from "./npy.js";
import { type PlacedRows, placeRows } from "./place-rows.js";
import type { StoredArray } from "./stored-array.js";

/** Whether an option is the path of an .npy file with labels. The name of an array wins. */
export function isLabelFile(
  arrays: readonly StoredArray[],
  { option, name }: { option: InputName; name: string },
): boolean {
  const isArray = arrays.some((array) => array.name === name);
  const isPath = option === "label" && name.endsWith(".npy");
  return isPath && !isArray && existsSync(name);
}

/**
 * Copies the labels of an .npy file to a temporary file.
 * @throws InputMissingError, PermissionError, InputFormatError, InputUnsupportedError, InputChangedError, IoError
 */
export async function placeLabelFile(
  path: string,
  logits: LogitsShape,
  options: OpenOptions,
): Promise<PlacedRows> {
  const file = openInputFile(path);
  try {
    return await interpreting(path, "structure", async () => {
      const { arrays, place } = await openNpy(file);
      const [array] = arrays as [StoredArray];
      const rows = checkedInput(path, array, "label", logits);
      const from = { ...file, ...(await place([rows], options)) };
      const placed = placeRows(from, [rows], "classes", {
        ...options,
        copy: true,
      });
      try {
        await checkUnchanged(file.source);
        return placed;
      } catch (error) {
        placed.decoded?.close();
        throw error;
      }
    });
  } finally {
    file.close();
  }
}
