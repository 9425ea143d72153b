import { basename, dirname, join } from "node:path";
import { resolveLocation } from "../io/location.js";
import { mapConcurrent } from "../io/map-concurrent.js";
import { isAlive } from "../io/temporary-names.js";
import { resolve } from "../options/check-options.js";
import { openStore } from "../storage/open-store.js";
import { type S3Options, s3OptionsOf } from "../storage/s3-options.js";
import {
  filesIn,
  hasFolders,
  type ObjectStore,
  type Store,
  type Stored,
} from "../storage/store.js";
import type { DatasetHooks } from "./events.js";
import { COMMITS, isDatasetFile, PLAN, SUCCESS } from "./names.js";

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
  const resolved = resolve<StaleRunsOptions, "olderThan" | "dryRun">(
    "gc",
    options,
  );
  const { olderThan, dryRun } = resolved;
  const output = resolveLocation(resolved.output);
  const limit = Date.now() - olderThan * 3600_000;
  const store = await openStore(output, { ...s3OptionsOf(options), signal });
  const found = await (hasFolders(store)
    ? foldersBeside(store, output)
    : unfinishedBelow(store as ObjectStore, output));
  const report: StaleRunsReport = {
    output,
    dryRun,
    removed: [],
    kept: [],
    shards: {},
  };
  const inUse = new Set(found.filter((of) => of.isInUse).map(({ run }) => run));
  for (const { path, run, changed, shards, isDead, stale, remove } of found) {
    if (shards > 0) report.shards[path] = shards;
    const isStale = isDead || (changed <= limit && !inUse.has(run));
    if (!isStale) report.kept.push(path);
    for (const one of isStale ? [{ path, remove }] : stale) {
      if (!dryRun) await one.remove();
      report.removed.push(one.path);
    }
  }
  return report;
}

interface Removable {
  /** Path as reports show it. */
  path: string;
  remove(): Promise<void>;
}

/** Part of an unfinished run: a folder, an upload, or the objects of a prefix. */
interface Unfinished extends Removable {
  run: string;
  /** Time of the last change in it, in milliseconds since 1970. */
  changed: number;
  /** Number of computed shards. */
  shards: number;
  /** Whether a process of this machine works in it. */
  isInUse: boolean;
  /** Whether it belongs to a process of this machine that has ended. */
  isDead: boolean;
  /** Temporary files in it of processes that have ended. */
  stale: Removable[];
}

/** Rest of a folder's name after the dataset's: its use, the run, the process of a repair, random digits. */
const NAME =
  /^\.__(?:wip|tmp|old)-([0-9a-f]{16})(?:-[0-9a-f]{8}-\d+-\d+-\d+)?(?:-[0-9a-f]{12})?$/;

async function foldersBeside(store: Store, out: string): Promise<Unfinished[]> {
  const folders: Unfinished[] = [];
  const removable = (path: string) => ({
    path,
    remove: () => store.remove(path),
  });
  for (const name of (await store.list(dirname(out), basename(out))).keys()) {
    const [, run] = NAME.exec(name.slice(basename(out).length)) ?? [];
    const path = join(dirname(out), name);
    const found = run === undefined ? null : await store.head(path);
    if (run === undefined || !found?.isFolder) continue;
    const names = [...(await store.list(path)).keys()];
    const records = [...(await store.list(join(path, COMMITS))).keys()];
    const temporary = path.includes(".__tmp-") ? names : [];
    folders.push({
      ...removable(path),
      run,
      changed: await lastChange(store, path, found),
      shards: records.filter((record) => RECORD.test(record)).length,
      isInUse: [name, ...temporary].some((of) => isAlive(of) === true),
      isDead: isAlive(name) === false,
      stale: temporary
        .filter((of) => isAlive(of) === false)
        .map((of) => removable(join(path, of))),
    });
  }
  return folders;
}

const RECORD = /^\d{5,}\.json$/;

/** Returns the time of the last change of a file, or in a folder. */
async function lastChange(
  store: Store,
  path: string,
  { isFolder, modified }: Stored,
): Promise<number> {
  let last = modified;
  if (isFolder)
    for (const name of (await store.list(path)).keys()) {
      const inner = await store.head(join(path, name));
      if (inner)
        last = Math.max(last, await lastChange(store, join(path, name), inner));
    }
  return last;
}

/** Requests at once. */
const AT_ONCE = 16;

/** The uploads to a prefix that nobody completes, and the objects of its run if that is not published. */
async function unfinishedBelow(
  store: ObjectStore,
  out: string,
): Promise<Unfinished[]> {
  const found: Unfinished[] = [];
  const part = {
    run: out,
    shards: 0,
    isInUse: false,
    isDead: false,
    stale: [],
  };
  for await (const { name, started, abort } of store.uploadsIn(out))
    if (isDatasetFile(name.slice(out.length + 1)))
      found.push({
        ...part,
        path: `${name} (an upload that has not ended)`,
        changed: started,
        remove: abort,
      });
  const objects = await filesIn(store, out);
  for (const [name, stored] of await filesIn(store, `${out}/${COMMITS}`))
    objects.set(`${COMMITS}/${name}`, stored);
  const own = [...objects.keys()].filter(isDatasetFile);
  const records = own.filter((name) => name.startsWith(`${COMMITS}/`));
  const isRun = objects.has(PLAN) || records.length > 0;
  if (objects.has(SUCCESS) || !isRun) return found;
  const times = own.map((name) => objects.get(name)?.modified ?? 0);
  const shards = records.filter((name) =>
    RECORD.test(name.slice(COMMITS.length + 1)),
  );
  // The plan goes first: a late process finds that the prefix no longer belongs to its run. The records go last.
  const inOrder = [
    own.filter((name) => name === PLAN),
    own.filter((name) => name !== PLAN && !records.includes(name)),
    records,
  ];
  found.push({
    ...part,
    path: out,
    changed: Math.max(...times, ...found.map(({ changed }) => changed)),
    shards: shards.length,
    async remove() {
      for (const names of inOrder)
        await mapConcurrent(names, AT_ONCE, (name) =>
          store.remove(`${out}/${name}`),
        );
    },
  });
  return found;
}
