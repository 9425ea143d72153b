import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
export const DIGITS = fileURLToPath(
  new URL("../../data/digits-logits.arrow", import.meta.url),
);

/** Runs the built command to its end. */
export function softjac(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8" });
}
