import { statSync } from "node:fs";
import type { Crew } from "./pool/crew.js";

/** Inputs that surely give threads something to do: see plan.ts. */
const LARGE_BYTES = 64 * 2 ** 20;

/** Starts threads where one of the inputs is large: while they are opened and planned. */
export function startEarly(
  crew: Crew,
  inputs: readonly string[],
  threads: number,
): void {
  if (inputs.some(isLarge)) crew.start(threads);
}

function isLarge(path: string): boolean {
  try {
    return statSync(path).size > LARGE_BYTES;
  } catch {
    // Opening it says why.
    return false;
  }
}
