import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { built } from "../support/built.js";

/** Returns a function that gives new names of outputs in a work directory. */
export function outputsIn(at: (name: string) => string): () => string {
  let names = 0;
  return () => at(`out-${names++}`);
}

/** Makes a folder of random logits: `a.arrow` with seed 0, `b.arrow` with seed 1, and so on. */
export async function writeFolder(
  folder: string,
  names: readonly string[],
  { rows, classes }: { rows: number; classes: number },
): Promise<string> {
  mkdirSync(folder);
  for (const [seed, name] of names.entries()) {
    const output = join(folder, `${name}.arrow`);
    await built.generate({ output, rows, classes, seed });
  }
  return folder;
}

/** Names of unfinished folders beside an output. */
export function leftOf(output: string): string[] {
  return readdirSync(dirname(output)).filter((other) =>
    other.startsWith(`${basename(output)}.__`),
  );
}

/** Folder of the one run that is in progress for an output. */
export function wipOf(output: string): string | undefined {
  const [wip] = leftOf(output).filter((name) => name.includes(".__wip-"));
  return wip && join(dirname(output), wip);
}

/** Resolves once so many shards of a run in progress have a record. */
export async function untilCommitted(
  output: string,
  shards: number,
): Promise<void> {
  for (;;) {
    await delay(5);
    const commits = join(wipOf(output) ?? "none", "_commits");
    if (existsSync(commits) && readdirSync(commits).length >= shards) return;
  }
}
