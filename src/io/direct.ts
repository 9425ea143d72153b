import { constants, openSync } from "node:fs";

// Writing past the page cache (O_DIRECT): what is written is on its way to the disk at once, and costs no memory. Through
// the page cache a sync of some GB has been measured at a quarter of the disk's speed.

/** Bytes, addresses and file offsets must be multiples of it; no disk asks for more. */
export const DIRECT_BYTES = 4096;

/** A descriptor of an existing file for writes past the page cache; -1 where the system or file system has none. */
export function openDirect(path: string): number {
  if (constants.O_DIRECT === undefined) return -1;
  try {
    return openSync(path, constants.O_WRONLY | constants.O_DIRECT);
  } catch {
    return -1;
  }
}

/** Whether a direct write was refused for how it was asked for: the same write through the page cache will do. */
export function isRefused(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EINVAL";
}
