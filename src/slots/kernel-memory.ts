import { readFileSync } from "node:fs";
import { InternalError } from "../errors.js";

export type KernelChoice = "auto" | "simd" | "plain";

/** Memory for the slots, and the compiled kernel that works in it (null: the plain kernel does). */
export interface KernelMemory {
  module: WebAssembly.Module | null;
  memory: WebAssembly.Memory | null;
  buffer: SharedArrayBuffer;
}

const PAGE_BYTES = 65536;

/** Kernels have addresses of 32 bits. */
export const MOST_MEMORY_BYTES = 2 ** 32 - PAGE_BYTES;
const WASM_URL = new URL("./kernels.wasm", import.meta.url);

/**
 * Allocates `bytes` shared by all threads; never grown. Every shared WebAssembly memory reserves address space by the
 * GiB, so where that is limited (`ulimit -v`) or SIMD is missing, `auto` falls back to the plain kernel: same bits.
 * @throws InternalError for `simd` where it cannot run, or where there are more bytes than addresses
 */
export function allocateKernelMemory(
  bytes: number,
  choice: KernelChoice,
): KernelMemory {
  if (bytes > MOST_MEMORY_BYTES)
    throw new InternalError(
      `expected slots of at most ${MOST_MEMORY_BYTES} bytes, found ${bytes}`,
    );
  if (choice !== "plain") {
    const pages = Math.ceil(bytes / PAGE_BYTES);
    const code = readFileSync(WASM_URL);
    try {
      const module = new WebAssembly.Module(code);
      const memory = new WebAssembly.Memory({
        initial: pages,
        maximum: pages,
        shared: true,
      });
      return { module, memory, buffer: memory.buffer };
    } catch (cause) {
      if (choice === "simd")
        throw new InternalError(
          `the SIMD kernel cannot run here: ${(cause as Error).message}`,
          { cause },
        );
    }
  }
  return {
    module: null,
    memory: null,
    buffer: new SharedArrayBuffer(bytes),
  };
}
