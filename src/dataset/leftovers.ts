import { basename, dirname, join } from "node:path";
import { checkNames, checkPath, checkValue } from "../check-options.js";
import { isAlive } from "../io/process-mark.js";
import { isS3, resolveLocation } from "../store/location.js";
import { PosixStore } from "../store/posix-store.js";
import { type S3Options, s3OptionsOf } from "../store/s3-options.js";
import type { Store } from "../store/store.js";
import { LEFTOVER_OPTIONS } from "./command-options.js";
import type { DatasetHooks } from "./events.js";
import { removeOnS3 } from "./leftovers-on-s3.js";
import { COMMITS } from "./names.js";

/** Options of `removeStaleRuns`. Only `output` is required. */
export interface StaleRunsOptions extends S3Options {
  /** Path of the dataset (stale runs are next to it), or s3://bucket/prefix (they are inside). */
  output: string;
  /** Minimum hours since the last change in a directory; default: 72. */
  olderThan?: number | undefined;
  /** Whether to report what would be removed without removing it; default: false. */
  dryRun?: boolean | undefined;
}

/** Report of `removeStaleRuns`. */
export interface StaleRunsReport {
  output: string;
  /** Whether this was a dry run, which removes nothing. */
  dryRun: boolean;
  /** Paths that were removed, or would be with `dryRun`. */
  removed: string[];
  /** Directories of unfinished runs that were kept: changed too recently, or in use by a process of this machine. */
  kept: string[];
  /** Number of computed shards in each directory, by path: the same run would have resumed from them. */
  shards: Record<string, number>;
}

/**
 * Removes stale runs next to a dataset: directories of unfinished runs that have not changed for `olderThan` hours, and
 * temporary files of processes of this machine that no longer run. Removes nothing else, and never follows links.
 */
export async function removeStaleRuns(
  options: StaleRunsOptions,
  { signal }: Pick<DatasetHooks, "signal"> = {},
): Promise<StaleRunsReport> {
  checkNames(options, ["output", ...LEFTOVER_OPTIONS.map(({ name }) => name)]);
  checkPath("output", options.output);
  for (const spec of LEFTOVER_OPTIONS)
    checkValue(spec, options[spec.name as keyof StaleRunsOptions]);
  const out = resolveLocation(options.output);
  const { olderThan = 72, dryRun = false } = options;
  const limit = Date.now() - olderThan * 3600_000;
  if (isS3(out))
    return removeOnS3({
      ...s3OptionsOf(options),
      ...{ signal, output: out, limit, dryRun },
    });
  const store = new PosixStore(dirname(out));
  const found: StaleRunsReport = {
    output: out,
    dryRun,
    removed: [],
    kept: [],
    shards: {},
  };
  const remove = async (path: string) => {
    if (!dryRun) await store.remove(path);
    found.removed.push(path);
  };
  const names = (await store.list(dirname(out), basename(out))).filter((name) =>
    NAME.test(name.slice(basename(out).length)),
  );
  const folders = new Map<string, Folder>();
  for (const name of names) {
    const path = join(dirname(out), name);
    const folder = await lookInto(store, path);
    if (folder) folders.set(path, folder);
  }
  const inUse = [...folders]
    .filter(([, { isInUse }]) => isInUse)
    .map(([path]) => runOf(path));
  for (const [path, { changed, parts, stale }] of folders) {
    const isStale = isAlive(basename(path)) === false;
    if (parts > 0) found.shards[path] = parts;
    if (isStale || (changed <= limit && !inUse.includes(runOf(path))))
      await remove(path);
    else {
      for (const inner of stale) await remove(inner);
      found.kept.push(path);
    }
  }
  return found;
}

/** What follows the dataset's name: what the folder is for, the run, the process of a repair, something at random. */
const NAME =
  /^\.__(?:wip|tmp|old)-[0-9a-f]{16}(?:-[0-9a-f]{8}-\d+-\d+-\d+)?(?:-[0-9a-f]{12})?$/;

function runOf(path: string): string {
  return /\.__(?:wip|tmp|old)-([0-9a-f]{16})/.exec(path)?.[1] as string;
}

interface Folder {
  /** When anything in it was last changed. */
  changed: number;
  /** Finished parts. */
  parts: number;
  /** Temporary files of processes that have died. */
  stale: string[];
  /** A process of this machine has a temporary file in it. */
  isInUse: boolean;
}

/** null: it is no folder. */
async function lookInto(store: Store, path: string): Promise<Folder | null> {
  const changed = await lastChange(store, path);
  if (changed === null) return null;
  const names = await store.list(path);
  const records = await store.list(join(path, COMMITS));
  const isTemporary = /\.__tmp-/.test(path);
  const states = isTemporary ? names.map((name) => isAlive(name)) : [];
  return {
    changed,
    parts: records.filter((name) => /^\d{5,}\.json$/.test(name)).length,
    stale: names
      .filter((_, k) => states[k] === false)
      .map((name) => join(path, name)),
    isInUse: states.includes(true) || isAlive(basename(path)) === true,
  };
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
