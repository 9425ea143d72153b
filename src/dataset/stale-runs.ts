import { basename, dirname, join } from "node:path";
import { resolveLocation } from "../io/location.js";
import { isAlive } from "../io/temporary-names.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { OptionsOf } from "../options/options-table.js";
import { openStore } from "../storage/open-store.js";
import { hasFolders, type ObjectStore, type Store } from "../storage/store.js";
import { COMMITS, isDatasetFile } from "./dataset-files.js";
import type { DatasetHooks } from "./events.js";

/** Options of `removeStaleRuns`. Only `output` is required; on S3, unfinished uploads inside it are removed. */
export interface StaleRunsOptions extends OptionsOf<"gc"> {}

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
 * temporary files of processes of this machine that no longer run; on S3, unfinished uploads. Removes nothing else, and never
 * follows links.
 */
export async function removeStaleRuns(
  options: StaleRunsOptions,
  hooks: Pick<DatasetHooks, "signal"> = {},
): Promise<StaleRunsReport> {
  checkHooks(hooks);
  const { signal } = hooks;
  const { olderThan, dryRun, ...given } = resolve("gc", options);
  const output = resolveLocation(given.output);
  const limit = Date.now() - olderThan * 3600_000;
  const store = await openStore(output, { ...given, signal });
  const lists = { removed: [], kept: [], shards: {} };
  const report: StaleRunsReport = { output, dryRun, ...lists };
  const all = hasFolders(store)
    ? unfinishedFolders(store, output, limit)
    : unfinishedUploads(store as ObjectStore, output, limit);
  for await (const { path, isStale, shards = 0, remove } of all) {
    if (shards > 0) report.shards[path] = shards;
    if (isStale && !dryRun) await remove();
    report[isStale ? "removed" : "kept"].push(path);
  }
  return report;
}

/** Directory of an unfinished run, temporary file in it, or unfinished upload. */
interface Unfinished {
  /** Path in reports. */
  path: string;
  isStale: boolean;
  /** Number of computed shards. */
  shards?: number;
  remove(): Promise<void>;
}

/** Suffix of a run's directory after the dataset's name: use, fingerprint, process mark (repairs only), random digits. */
const SUFFIX =
  /^\.__(?:wip|tmp|old)-([0-9a-f]{16})(?:-[0-9a-f]{8}-\d+-\d+-\d+)?(?:-[0-9a-f]{12})?$/;

/** Yields the directories of unfinished runs, and dead temporary files in those that are not stale. */
async function* unfinishedFolders(
  store: Store,
  out: string,
  limit: number,
): AsyncGenerator<Unfinished> {
  const folders: { name: string; run: string; files: string[] }[] = [];
  const runsInUse = new Set<string>();
  for (const name of (await store.list(dirname(out), basename(out))).keys()) {
    const [, run] = SUFFIX.exec(name.slice(basename(out).length)) ?? [];
    const path = join(dirname(out), name);
    if (run === undefined || !(await store.head(path))?.isFolder) continue;
    const isTemporary = name.includes(".__tmp-");
    const files = isTemporary ? [...(await store.list(path)).keys()] : [];
    folders.push({ name, run, files });
    if ([name, ...files].some((marked) => isAlive(marked) === true))
      runsInUse.add(run);
  }
  const removable = (path: string) => ({
    path,
    remove: () => store.remove(path),
  });
  for (const { name, run, files } of folders) {
    const path = join(dirname(out), name);
    const isOld = (await lastChange(store, path)) <= limit;
    const isStale = isAlive(name) === false || (isOld && !runsInUse.has(run));
    const records = [...(await store.list(join(path, COMMITS))).keys()];
    const shards = records.filter((record) => RECORD.test(record)).length;
    yield { ...removable(path), isStale, shards };
    for (const file of isStale ? [] : files)
      if (isAlive(file) === false)
        yield { ...removable(join(path, file)), isStale: true };
  }
}

const RECORD = /^\d{5,}\.json$/;

/** Returns the latest modification time of a file, or of a directory and everything in it; 0 if it is gone. */
async function lastChange(store: Store, path: string): Promise<number> {
  const { isFolder, modified = 0 } = (await store.head(path)) ?? {};
  const names = isFolder ? [...(await store.list(path)).keys()] : [];
  let last = modified;
  for (const name of names)
    last = Math.max(last, await lastChange(store, join(path, name)));
  return last;
}

/** Yields the unfinished multipart uploads of a run. */
async function* unfinishedUploads(
  store: ObjectStore,
  out: string,
  limit: number,
): AsyncGenerator<Unfinished> {
  for await (const { name, started, abort } of store.uploadsIn(out))
    if (isDatasetFile(name.slice(out.length + 1)))
      yield {
        path: `${name} (an upload that has not ended)`,
        isStale: started <= limit,
        remove: abort,
      };
}
