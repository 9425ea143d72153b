import { canonicalJson, type DatasetPlan, type Shard } from "./dataset-plan.js";
import { shardFileName } from "./names.js";
import type { BytesOptions } from "./options.js";

/** What a finished part is: written beside it, and into the manifest. The same whoever made it, and when. */
export interface ShardRecord extends Shard {
  fingerprint: string;
  shard: number;
  part: string;
  rows: number;
  bytes: number;
  /** Where checksums are asked for. */
  sha256: string | null;
  badRows: number;
  firstBadRow: number | null;
  /** Layouts csr and coo. */
  entries: number | null;
  droppedMax: number | null;
  droppedSum: number | null;
}

/** What a record says of the part itself. */
export type ShardResult = Omit<
  ShardRecord,
  "fingerprint" | "shard" | "part" | "input" | "rowStart" | "rowEnd"
>;

/** The record of a part that is finished. */
export function shardRecord(
  { fingerprint, of }: DatasetPlan,
  shard: number,
  made: ShardResult,
): ShardRecord {
  const span = of.shards[shard] as (typeof of.shards)[number];
  return {
    fingerprint,
    shard,
    part: shardFileName(shard, of.shards.length),
    ...span,
    ...made,
  };
}

/** The content of _SUCCESS. */
export interface Success {
  fingerprint: string;
  /** SHA-256 of the manifest. */
  manifest: string;
}

/** Bytes that depend on the values alone. */
export function encodeJson(value: unknown): Uint8Array {
  const ordered: unknown = JSON.parse(canonicalJson(value));
  return new TextEncoder().encode(`${JSON.stringify(ordered, null, 1)}\n`);
}

export function sameRecords(a: ShardRecord, b: ShardRecord): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** null: no JSON. */
export function decodeJson(bytes: Uint8Array | null): unknown {
  if (!bytes) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/** What is in a complete dataset. */
export interface Manifest {
  format: 1;
  fingerprint: string;
  softjac: string;
  options: BytesOptions;
  inputs: readonly { name: string; bytes: number; rows: number }[];
  /** Inputs without results, and why. */
  leftOut: readonly { name: string; error: string }[];
  rows: number;
  bytes: number;
  badRows: number;
  parts: readonly Omit<ShardRecord, "fingerprint">[];
}

/** @param parts in the order of their shards */
export function manifestOf(
  { fingerprint, of }: DatasetPlan,
  parts: readonly ShardRecord[],
  leftOut: Manifest["leftOut"],
): Manifest {
  const sum = (of: (part: ShardRecord) => number) =>
    parts.reduce((total, part) => total + of(part), 0);
  return {
    format: 1,
    fingerprint,
    softjac: of.softjac,
    options: of.options,
    inputs: of.inputs.map(({ name, bytes, rows }) => ({ name, bytes, rows })),
    leftOut,
    rows: sum(({ rows }) => rows),
    bytes: sum(({ bytes }) => bytes),
    badRows: sum(({ badRows }) => badRows),
    parts: parts.map(({ fingerprint: _, ...part }) => part),
  };
}
