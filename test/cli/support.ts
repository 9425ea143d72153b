import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { distFile } from "../support/dist.js";

export const CLI = distFile("cli.js");
export const DIGITS = fileURLToPath(
  new URL("../../data/digits-logits.arrow", import.meta.url),
);

/** Runs the built command to its end. */
export function softjac(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8" });
}
