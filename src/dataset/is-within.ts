import { dirname } from "node:path";
import { stateAt } from "../input/input-state.js";

/**
 * Returns whether an absolute path is a folder or lies in it, by device and inode: whatever links and mounts lead there.
 * @throws IoError, PermissionError
 */
export function isWithin(path: string, folder: string): boolean {
  const wanted = stateAt(folder)?.inode;
  if (wanted === undefined) return false;
  for (let one = path; ; one = dirname(one)) {
    if (stateAt(one)?.inode === wanted) return true;
    if (one === dirname(one)) return false;
  }
}
