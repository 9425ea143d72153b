import { canonicalJson, type DatasetPlan, type Shard } from "./dataset-plan.js";
import { shardFileName } from "./names.js";
import type { BytesOptions } from "./options.js";

/** Record of a completed shard, also part of the manifest; the same bytes in every process. */
export interface ShardRecord extends Shard {
  fingerprint: string;
  shard: number;
  /** Name of the shard's file. */
  part: string;
  rows: number;
  bytes: number;
  /** null without `checksums`. */
  sha256: string | null;
  badRows: number;
  firstBadRow: number | null;
  /** null except for the layouts csr and coo; so are `droppedMax` and `droppedSum`. */
  entries: number | null;
  droppedMax: number | null;
  droppedSum: number | null;
}

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
