import { basename, dirname, join } from "node:path";
import { checkNames, checkPath, checkValue } from "../check-options.js";
import { isS3, resolveLocation } from "../store/location.js";
import { PosixStore } from "../store/posix-store.js";
import { type S3Options, s3OptionsOf } from "../store/s3-options.js";
import type { Store } from "../store/store.js";
import { LEFTOVER_OPTIONS } from "./command-options.js";
import { removeOnS3 } from "./leftovers-on-s3.js";

export interface LeftoverOptions extends S3Options {
  /** Path of a dataset, what runs for it have left stands beside; or s3://bucket/prefix, where it stands inside. */
  output: string;
  /** Hours since anything in a folder was last changed. */
  olderThan?: number | undefined;
  /** Say what would be removed, and remove nothing. */
  dryRun?: boolean | undefined;
}

export interface Leftovers {
  output: string;
  removed: string[];
  /** Of our names, but younger. */
  kept: string[];
}

/**
 * Removes what dead runs have left beside a dataset: folders with names of ours, in which nothing has changed for a while.
 * Never through a link, never anything else.
 */
export async function removeLeftovers(
  options: LeftoverOptions,
): Promise<Leftovers> {
  checkNames(options, ["output", ...LEFTOVER_OPTIONS.map(({ name }) => name)]);
  checkPath("output", options.output);
  for (const spec of LEFTOVER_OPTIONS)
    checkValue(spec, options[spec.name as keyof LeftoverOptions]);
  const out = resolveLocation(options.output);
  const { olderThan = 72, dryRun = false } = options;
  const limit = Date.now() - olderThan * 3600_000;
  if (isS3(out))
    return removeOnS3({ ...s3OptionsOf(options), output: out, limit, dryRun });
  const store = new PosixStore(dirname(out));
  const found: Leftovers = { output: out, removed: [], kept: [] };
  for (const name of await store.list(dirname(out))) {
    if (!isOurs(name, basename(out))) continue;
    const path = join(dirname(out), name);
    const changed = await lastChange(store, path);
    if (changed === null) continue;
    if (changed > limit) found.kept.push(path);
    else {
      if (!dryRun) await store.remove(path);
      found.removed.push(path);
    }
  }
  return found;
}

function isOurs(name: string, output: string): boolean {
  return (
    name.startsWith(output) &&
    /^\.__(?:wip|tmp|old)-[0-9a-f]{16}(?:-[0-9a-f]{12})?$/.test(
      name.slice(output.length),
    )
  );
}

/** When anything in a folder was last changed; null: it is no folder. */
async function lastChange(store: Store, path: string): Promise<number | null> {
  const found = await store.stat(path);
  if (!found?.isFolder) return null;
  let last = found.modified;
  for (const name of await store.list(path)) {
    const inner = join(path, name);
    const entry = await store.stat(inner);
    last = Math.max(
      last,
      entry?.modified ?? 0,
      (await lastChange(store, inner)) ?? 0,
    );
  }
  return last;
}
