import { lstatSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { outputCall } from "../../system-error.js";

/**
 * Puts a text under a name, whole: whoever reads the name finds the old text or the new one.
 * @throws IoError, PermissionError
 */
export function putWhole(path: string, text: string): void {
  outputCall(path, "could not be written", () => put(path, text));
}

function put(path: string, text: string): void {
  // A pipe or a device is not replaced, nor what a link stands for.
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found && !found.isFile()) {
    writeFileSync(path, text);
    return;
  }
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
