import { createHash } from "node:crypto";

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

/** The first 16 hexadecimal digits of the SHA-256 of a value's canonical JSON. */
export function fingerprintOf(value: unknown): string {
  return sha256(new TextEncoder().encode(canonicalJson(value))).slice(0, 16);
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
