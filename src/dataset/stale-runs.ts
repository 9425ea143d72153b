import { basename, dirname, join } from "node:path";
import { resolveLocation } from "../io/location.js";
import { isAlive } from "../io/temporary-names.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { OptionsOf } from "../options/options-table.js";
import { openStore } from "../storage/open-store.js";
import {
  hasFolders,
  type ObjectStore,
  type Store,
  type Stored,
} from "../storage/store.js";
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
  const unfinished = await (hasFolders(store)
    ? unfinishedFolders(store, output)
    : unfinishedUploads(store as ObjectStore, output));
  const lists = { removed: [], kept: [], shards: {} };
  const report: StaleRunsReport = { output, dryRun, ...lists };
  const inUse = new Set(
    unfinished.filter(({ isInUse }) => isInUse).map(({ run }) => run),
  );
  for (const item of unfinished) {
    const { path, run, changed, shards, isDead, stale = [] } = item;
    if (shards) report.shards[path] = shards;
    const isStale = isDead || (changed <= limit && !inUse.has(run));
    if (!isStale) report.kept.push(path);
    for (const removable of isStale ? [item] : stale) {
      if (!dryRun) await removable.remove();
      report.removed.push(removable.path);
    }
  }
  return report;
}

interface Removable {
  /** Path in reports. */
  path: string;
  remove(): Promise<void>;
}

/** Directory of an unfinished run, or unfinished upload. */
interface Unfinished extends Removable {
  /** Time of the last change, in milliseconds since 1970. */
  changed: number;
  /** Fingerprint of the run of a directory. */
  run?: string;
  /** Number of computed shards. */
  shards?: number;
  /** Whether a process of this machine uses it. */
  isInUse?: boolean;
  /** Whether it belongs to a process of this machine that has ended. */
  isDead?: boolean;
  /** Temporary files of processes that have ended. */
  stale?: Removable[];
}

/** Suffix of a run's directory after the dataset's name: use, fingerprint, process mark (repairs only), random digits. */
const SUFFIX =
  /^\.__(?:wip|tmp|old)-([0-9a-f]{16})(?:-[0-9a-f]{8}-\d+-\d+-\d+)?(?:-[0-9a-f]{12})?$/;

async function unfinishedFolders(
  store: Store,
  out: string,
): Promise<Unfinished[]> {
  const folders: Unfinished[] = [];
  const removable = (path: string) => ({
    path,
    remove: () => store.remove(path),
  });
  for (const name of (await store.list(dirname(out), basename(out))).keys()) {
    const [, run] = SUFFIX.exec(name.slice(basename(out).length)) ?? [];
    const path = join(dirname(out), name);
    const state = run === undefined ? null : await store.head(path);
    if (run === undefined || !state?.isFolder) continue;
    const names = [...(await store.list(path)).keys()];
    const records = [...(await store.list(join(path, COMMITS))).keys()];
    const temporary = path.includes(".__tmp-") ? names : [];
    folders.push({
      ...removable(path),
      run,
      changed: await lastChange(store, path, state),
      shards: records.filter((record) => RECORD.test(record)).length,
      isInUse: [name, ...temporary].some((file) => isAlive(file) === true),
      isDead: isAlive(name) === false,
      stale: temporary
        .filter((file) => isAlive(file) === false)
        .map((file) => removable(join(path, file))),
    });
  }
  return folders;
}

const RECORD = /^\d{5,}\.json$/;

/** Returns the latest modification time of a file, or of a directory and everything in it. */
async function lastChange(
  store: Store,
  path: string,
  { isFolder, modified }: Stored,
): Promise<number> {
  let last = modified;
  const names = isFolder ? (await store.list(path)).keys() : [];
  for (const inner of [...names].map((name) => join(path, name))) {
    const state = await store.head(inner);
    if (state) last = Math.max(last, await lastChange(store, inner, state));
  }
  return last;
}

/** Returns the unfinished multipart uploads of a run. */
async function unfinishedUploads(
  store: ObjectStore,
  out: string,
): Promise<Unfinished[]> {
  const uploads: Unfinished[] = [];
  for await (const { name, started, abort } of store.uploadsIn(out))
    if (isDatasetFile(name.slice(out.length + 1)))
      uploads.push({
        path: `${name} (an upload that has not ended)`,
        changed: started,
        remove: abort,
      });
  return uploads;
}
