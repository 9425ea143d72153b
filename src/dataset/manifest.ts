import type { DatasetPlan } from "./dataset-plan.js";
import type { BytesOptions } from "./options.js";
import type { PartRecord } from "./records.js";

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
  parts: readonly Omit<PartRecord, "fingerprint">[];
}

/** @param parts in the order of their shards */
export function manifestOf(
  { fingerprint, of }: DatasetPlan,
  parts: readonly PartRecord[],
  leftOut: Manifest["leftOut"],
): Manifest {
  const sum = (of: (part: PartRecord) => number) =>
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
