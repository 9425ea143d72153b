import { basename, dirname, join } from "node:path";
import { isS3 } from "../io/location.js";

// A dataset is a folder that comes to be as a whole (the run's fingerprint in the names of what is on the way):
//
//   OUT.__tmp-<fp>/…                      unfinished files: beside, never inside what will be published
//   OUT.__wip-<fp>/_plan.json
//                  part-00007-of-00128.arrow
//                  _commits/00007.json    what that part is
//                  _manifest.json  _SUCCESS
//   OUT/                                  the folder before, renamed
//
// On S3 nothing is renamed: all but what is unfinished, which is on this machine, stands in OUT/ from the start.

/** Where the files of one run over a dataset stand. */
export interface RunFolders {
  /** The dataset, once it is complete. */
  out: string;
  wip: string;
  tmp: string;
  /** Start of the name of a dataset that this one replaces, for a moment; a random end for every process that does. */
  old: string;
}

export const PLAN = "_plan.json";
export const COMMITS = "_commits";
export const MANIFEST = "_manifest.json";
export const SUCCESS = "_SUCCESS";

export function runFolders(out: string, fingerprint: string): RunFolders {
  if (isS3(out)) return { out, wip: out, tmp: out, old: out };
  const base = join(dirname(out), basename(out));
  return {
    out: base,
    wip: `${base}.__wip-${fingerprint}`,
    tmp: `${base}.__tmp-${fingerprint}`,
    old: `${base}.__old-${fingerprint}`,
  };
}

/** The file of shard k of n. */
export function shardFileName(k: number, n: number): string {
  return `part-${digits(k)}-of-${digits(n)}.arrow`;
}

/** What says that shard k is there, and what it is. */
export function recordName(k: number): string {
  return `${COMMITS}/${digits(k)}.json`;
}

/** Record of an input that was skipped. */
export function skippedRecordName(input: number): string {
  return `${COMMITS}/input-${digits(input)}.json`;
}

/** Returns whether a file in the dataset's folder, or in its `_commits`, has a name that runs give. */
export function isDatasetFile(name: string): boolean {
  return (
    [PLAN, MANIFEST, SUCCESS].includes(name) ||
    /^(?:part-\d{5,}-of-\d{5,}\.arrow|_commits\/(?:input-)?\d{5,}\.json)$/.test(
      name,
    )
  );
}

/** Five digits, or as many as it takes: names sort as their numbers do up to 100,000. */
function digits(k: number): string {
  return String(k).padStart(5, "0");
}
