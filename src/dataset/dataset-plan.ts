import { createHash } from "node:crypto";
import type { InputState } from "../input/input-state.js";
import type { Partition } from "../results/run-metadata.js";
import { VERSION } from "../version.js";
import type { BytesOptions } from "./options.js";

/** State of an input that has no inode: the plan is one for all machines, and a copy with the same time will do. */
export type PlannedState = Omit<InputState, "inode">;

/** An input as it was when the run was planned. */
export interface PinnedInput extends PlannedState {
  /** Its path from the folder that all inputs are in. */
  name: string;
  rows: number;
  /** Partitions of its path that the run uses. */
  partitions?: readonly Partition[] | undefined;
  /** Number of classes of the other inputs, if the rows of this one do not tell it. */
  classes?: number;
}

/** An input that a run goes on without, and why. */
export interface SkippedInput extends Omit<PinnedInput, "rows"> {
  error: string;
}

/** Everything that the bytes of a dataset depend on, and where its inputs are. */
export interface DatasetPlan {
  fingerprint: string;
  /** The folder that the inputs' names start from, or s3://bucket/prefix. */
  root: string;
  of: PlannedBytes;
}

/** What the bytes of a dataset depend on; never a host, a time, or a number of threads. */
export interface PlannedBytes {
  /** Of this plan, of the parts and of the manifest. */
  format: 1;
  softjac: string;
  /** Whether records and manifest have the SHA-256 of every part. */
  checksums: boolean;
  /** Options of the run, those that change bytes. */
  options: BytesOptions;
  inputs: readonly PinnedInput[];
  /** Found bad by the plan. */
  leftOut: readonly SkippedInput[];
  shards: readonly Shard[];
}

export function makePlan(
  root: string,
  of: Omit<PlannedBytes, "format" | "softjac">,
): DatasetPlan {
  const planned: PlannedBytes = { format: 1, softjac: VERSION, ...of };
  return { fingerprint: fingerprintOf(planned), root, of: planned };
}

/** Returns the number of rows of shards; default: of all. */
export function rowsOf(
  { of: { shards } }: DatasetPlan,
  numbers: Iterable<number> = shards.keys(),
): number {
  let rows = 0;
  for (const number of numbers) {
    const { rowStart, rowEnd } = shards[number] as Shard;
    rows += rowEnd - rowStart;
  }
  return rows;
}

/** What the shards of an input depend on. */
export interface InputSize {
  rows: number;
  /** Of the output, as far as is known before it is made. */
  bytesPerRow: number;
}

export interface ShardLimits {
  /** Rows of a shard at most; where it is given, nothing else counts. */
  shardRows: number | undefined;
  /** Bytes of a shard's output, about. */
  shardBytes: number;
}

/** Rows `[rowStart, rowEnd)` of one input. */
export interface Shard {
  /** Which input, from 0. */
  input: number;
  rowStart: number;
  rowEnd: number;
}

/**
 * Divides the rows of every input into shards of about one size, none over two inputs. Pure. An input without rows has one
 * shard without rows.
 */
export function planShards(
  inputs: readonly InputSize[],
  { shardRows, shardBytes }: ShardLimits,
): Shard[] {
  return inputs.flatMap(({ rows, bytesPerRow }, input): Shard[] => {
    const most = shardRows ?? Math.max(1, Math.floor(shardBytes / bytesPerRow));
    const count = Math.max(1, Math.ceil(rows / most));
    const edge = (k: number) => Math.floor((rows / count) * k);
    return Array.from({ length: count }, (_, k) => ({
      input,
      rowStart: edge(k),
      rowEnd: k + 1 === count ? rows : edge(k + 1),
    }));
  });
}

/** JSON whose bytes depend on the values alone: keys in order, nothing between. Values that are undefined are left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`);
  return `{${entries.join(",")}}`;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The first 16 hexadecimal digits of the SHA-256 of a value's canonical JSON. */
export function fingerprintOf(value: unknown): string {
  return sha256(new TextEncoder().encode(canonicalJson(value))).slice(0, 16);
}
