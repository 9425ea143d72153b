import { basename, dirname, join } from "node:path";
import { isRemote } from "../io/location.js";
import { MODEL_COPIES } from "../model/run-model.js";
import type { RunReport } from "../run/run-report.js";
import { canonicalJson, type DatasetPlan, type Shard } from "./dataset-plan.js";
import type { BytesOptions } from "./options.js";

// Names and contents of the files of a run.

// Directories of a run (<fp>: its fingerprint). Publishing renames OUT.__wip-<fp> to OUT:
//
//   OUT.__tmp-<fp>/                       temporary files, outside the directory that is published
//   OUT.__wip-<fp>/_plan.json
//                  _coefficients.npy      copies of the files of a model
//                  _covariance.npy
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
  if (isRemote(out)) return { out, wip: out, tmp: out, old: out };
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

export function skippedRecordName(input: number): string {
  return `${COMMITS}/input-${digits(input)}.json`;
}

/** Returns whether a file in the dataset's directory, or in its `_commits`, has a name that this module defines. */
export function isDatasetFile(name: string): boolean {
  return (
    [PLAN, MANIFEST, SUCCESS, ...Object.values(MODEL_COPIES)].includes(name) ||
    /^(?:part-\d{5,}-of-\d{5,}\.arrow|_commits\/(?:input-)?\d{5,}\.json)$/.test(
      name,
    )
  );
}

/** Pads to five digits, so that up to 100,000 names sort by number. */
function digits(index: number): string {
  return String(index).padStart(5, "0");
}

/** Record of a completed shard, also part of the manifest; the same bytes in every process. */
export interface ShardRecord extends Shard, RowCounts {
  fingerprint: string;
  shard: number;
  /** Name of the shard's file. */
  part: string;
  rows: number;
  bytes: number;
  /** null without `checksums`. */
  sha256: string | null;
}

/** Counts that a record has as the report of a run over the rows of the shard has them. */
type RowCounts = Pick<
  RunReport,
  "badRows" | "firstBadRow" | "entries" | "droppedMax" | "droppedSum"
>;

/** Fields of a record that are known only once the shard is computed. */
export type ShardResult = Omit<
  ShardRecord,
  "fingerprint" | "shard" | "part" | "input" | "rowStart" | "rowEnd"
>;

export function shardRecord(
  { fingerprint, of: { shards } }: DatasetPlan,
  shard: number,
  result: ShardResult,
): ShardRecord {
  const part = shardFileName(shard, shards.length);
  return { fingerprint, shard, part, ...(shards[shard] as Shard), ...result };
}

/** Content of _SUCCESS. */
export interface Success {
  fingerprint: string;
  /** SHA-256 of the manifest. */
  manifest: string;
}

/** Encodes JSON with sorted keys, so that equal values have equal bytes. */
export function encodeJson(value: unknown): Uint8Array {
  const ordered: unknown = JSON.parse(canonicalJson(value));
  return new TextEncoder().encode(`${JSON.stringify(ordered, null, 1)}\n`);
}

export function sameRecords(a: ShardRecord, b: ShardRecord): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** Decodes JSON; returns null if it is invalid. */
export function decodeJson(bytes: Uint8Array | null): unknown {
  if (!bytes) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/** Content of _manifest.json. */
export interface Manifest {
  format: 1;
  fingerprint: string;
  softjac: string;
  options: BytesOptions;
  inputs: readonly { name: string; bytes: number; rows: number }[];
  /** Skipped inputs. */
  leftOut: readonly { name: string; error: string }[];
  rows: number;
  bytes: number;
  badRows: number;
  parts: readonly Omit<ShardRecord, "fingerprint">[];
}

/** @param records in the order of their shards */
export function manifestOf(
  { fingerprint, of: { softjac, options, inputs } }: DatasetPlan,
  records: readonly ShardRecord[],
  leftOut: Manifest["leftOut"],
): Manifest {
  const sum = (field: "rows" | "bytes" | "badRows") =>
    records.reduce((total, record) => total + record[field], 0);
  return {
    ...{ format: 1, fingerprint, softjac, options, leftOut },
    inputs: inputs.map(({ name, bytes, rows }) => ({ name, bytes, rows })),
    ...{ rows: sum("rows"), bytes: sum("bytes"), badRows: sum("badRows") },
    parts: records.map(({ fingerprint: _, ...part }) => part),
  };
}
