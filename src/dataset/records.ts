import type { Shard } from "./plan-shards.js";

/** What a finished part is: written beside it, and into the manifest. The same whoever made it, and when. */
export interface PartRecord extends Shard {
  fingerprint: string;
  shard: number;
  part: string;
  rows: number;
  bytes: number;
  sha256: string;
  badRows: number;
  firstBadRow: number | null;
  /** Layouts csr and coo. */
  entries: number | null;
  droppedMax: number | null;
  droppedSum: number | null;
}

/** What is in a complete dataset. */
export interface Manifest {
  format: 1;
  fingerprint: string;
  softjac: string;
  options: Readonly<Record<string, unknown>>;
  inputs: readonly { name: string; bytes: number; rows: number }[];
  rows: number;
  bytes: number;
  badRows: number;
  parts: readonly Omit<PartRecord, "fingerprint">[];
}

/** The content of _SUCCESS. */
export interface Success {
  fingerprint: string;
  /** SHA-256 of the manifest. */
  manifest: string;
}

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 1)}\n`);
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
