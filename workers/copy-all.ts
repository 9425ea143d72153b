import type { Kernel } from "../src/numeric/kernel.js";
import type { Copy } from "../src/pool/protocol.js";

/** Copies from place to place in the slots' memory. */
export function copyAll(kernel: Kernel, copies: readonly Copy[]): void {
  for (const { from, to, bytes } of copies) kernel.copy(to, from, bytes);
}
