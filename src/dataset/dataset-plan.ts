import { createHash } from "node:crypto";
import type { InputState } from "../input/input-state.js";
import type { ModelFile } from "../model/run-model.js";
import type { Partition } from "../results/run-metadata.js";
import { VERSION } from "../version.js";
import type { BytesOptions } from "./options.js";

/** State of an input without its inode, so that it is equal on all machines and for copies with the same mtime. */
export type PlannedState = Omit<InputState, "inode">;

/** Input and its state when the run was planned. */
export interface PinnedInput extends PlannedState {
  /** Path relative to `root` of the plan. */
  name: string;
  rows: number;
  /** Partitions (`key=value` in the path) that the run uses. */
  partitions?: readonly Partition[] | undefined;
  /** Number of classes, taken from the other inputs, if no row of this one has logits. */
  classes?: number;
}

export interface SkippedInput extends Omit<PinnedInput, "rows"> {
  error: string;
}

/** Content of _plan.json. */
export interface DatasetPlan {
  /** `fingerprintOf(of)`. */
  fingerprint: string;
  /** Directory or `s3://bucket/prefix` that contains all inputs. */
  root: string;
  of: PlannedBytes;
}

/** Everything that the bytes of a dataset depend on: never a host, a time, or a number of threads. */
export interface PlannedBytes {
  /** Version of the plan, the shards and the manifest. */
  format: 1;
  softjac: string;
  /** Whether records and manifest contain the SHA-256 of every shard. */
  checksums: boolean;
  options: BytesOptions;
  /** SHA-256 of the files of the model, if the logits are features × coefficients. */
  model?: Partial<Record<ModelFile, string>> | undefined;
  inputs: readonly PinnedInput[];
  /** Inputs that were invalid when the run was planned. */
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

/** Returns the number of rows in some shards; default: all shards. */
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

/** Returns the properties of a plan that reports have. */
export function summaryOf(plan: DatasetPlan) {
  const { fingerprint, of } = plan;
  const [inputs, shards] = [of.inputs.length, of.shards.length];
  return { fingerprint, inputs, rows: rowsOf(plan), shards };
}

export interface InputSize {
  rows: number;
  /** Output bytes per row; input bytes if the output size depends on the values. */
  bytesPerRow: number;
}

export interface ShardLimits {
  /** Maximum rows of a shard; overrides `shardBytes`. */
  shardRows: number | undefined;
  /** Approximate output bytes of a shard. */
  shardBytes: number;
}

/** Rows `[rowStart, rowEnd)` of one input. */
export interface Shard {
  /** Index of the input. */
  input: number;
  rowStart: number;
  rowEnd: number;
}

/**
 * Divides the rows of every input into shards of nearly equal size. No shard spans two inputs; an input without rows has one
 * empty shard.
 */
export function planShards(
  inputs: readonly InputSize[],
  { shardRows, shardBytes }: ShardLimits,
): Shard[] {
  return inputs.flatMap(({ rows, bytesPerRow }, input): Shard[] => {
    const maxRows =
      shardRows ?? Math.max(1, Math.floor(shardBytes / bytesPerRow));
    const count = Math.max(1, Math.ceil(rows / maxRows));
    const edge = (k: number) => Math.floor((rows / count) * k);
    return Array.from({ length: count }, (_, k) => ({
      input,
      rowStart: edge(k),
      rowEnd: k + 1 === count ? rows : edge(k + 1),
    }));
  });
}

/** Returns JSON with sorted keys and without whitespace or undefined properties, so that equal values have equal bytes. */
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

/** Returns the first 16 hexadecimal digits of the SHA-256 of a value's canonical JSON. */
export function fingerprintOf(value: unknown): string {
  return sha256(new TextEncoder().encode(canonicalJson(value))).slice(0, 16);
}
