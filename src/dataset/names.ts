import { basename, dirname, join } from "node:path";
import { isS3 } from "../io/location.js";

// Directories of a run (<fp>: its fingerprint). Publishing renames OUT.__wip-<fp> to OUT:
//
//   OUT.__tmp-<fp>/                       temporary files, outside the directory that is published
//   OUT.__wip-<fp>/_plan.json
//                  part-00007-of-00128.arrow
//                  _commits/00007.json    record of that shard
//                  _manifest.json  _SUCCESS
//   OUT/
//
// S3 cannot rename: all files except temporary ones, which are local, are in OUT/ from the start.

/** Directories of a run, or prefixes on S3. */
export interface RunFolders {
  out: string;
  wip: string;
  tmp: string;
  /** Prefix of the name that a replaced dataset has until it is removed; a random suffix follows. */
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

export function shardFileName(shard: number, shards: number): string {
  return `part-${digits(shard)}-of-${digits(shards)}.arrow`;
}

export function recordName(shard: number): string {
  return `${COMMITS}/${digits(shard)}.json`;
}

/** Returns the name of the record of a skipped input. */
export function skippedRecordName(input: number): string {
  return `${COMMITS}/input-${digits(input)}.json`;
}

/** Returns whether a file in the dataset's directory, or in its `_commits`, has a name that this module defines. */
export function isDatasetFile(name: string): boolean {
  return (
    [PLAN, MANIFEST, SUCCESS].includes(name) ||
    /^(?:part-\d{5,}-of-\d{5,}\.arrow|_commits\/(?:input-)?\d{5,}\.json)$/.test(
      name,
    )
  );
}

/** Pads to five digits, so that up to 100,000 names sort by number. */
function digits(index: number): string {
  return String(index).padStart(5, "0");
}
