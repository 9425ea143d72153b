import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

/** Functions of node:fs/promises that read or change the file system. */
const CALLS = [
  ...(["lstat", "stat", "readdir", "open", "mkdir"] as const),
  ...(["link", "rename", "rm", "rmdir", "unlink"] as const),
];

/**
 * Runs `work`, and `meanwhile` before the nth call of node:fs/promises.
 * @returns the result, and whether there was an nth call
 */
export async function withMeanwhileAt<T>(
  n: number,
  work: () => Promise<T>,
  meanwhile: () => Promise<unknown>,
): Promise<{ result: T; reached: boolean }> {
  const originals = CALLS.map((name) => [name, promises[name]] as const);
  let calls = 0;
  let reached = false;
  for (const [name, original] of originals)
    Object.assign(promises, {
      async [name](...args: unknown[]) {
        if (++calls === n) {
          reached = true;
          await meanwhile();
        }
        return (original as (...args: unknown[]) => unknown)(...args);
      },
    });
  syncBuiltinESMExports();
  try {
    return { result: await work(), reached };
  } finally {
    Object.assign(promises, Object.fromEntries(originals));
    syncBuiltinESMExports();
  }
}
