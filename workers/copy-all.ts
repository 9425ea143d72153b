import type { Copy, WorkerSetup } from "../src/pool/protocol.js";

/** Copies from place to place in the slots' memory. */
export function copyAll(
  { buffer }: Pick<WorkerSetup, "buffer">,
  copies: readonly Copy[],
): void {
  const all = new Uint8Array(buffer);
  for (const { from, to, bytes } of copies)
    all.copyWithin(to, from, from + bytes);
}
