import { readFileSync } from "node:fs";
import { InternalError } from "../errors.js";

/** Memory of the slots, and the compiled kernel that uses it; null: the plain kernel. */
export interface KernelMemory {
  module: WebAssembly.Module | null;
  memory: WebAssembly.Memory | null;
  buffer: SharedArrayBuffer;
}

const PAGE_BYTES = 65536;

/** Kernels have addresses of 32 bits. */
export const MAX_MEMORY_BYTES = 2 ** 32 - PAGE_BYTES;
const WASM_URL = new URL("./kernels.wasm", import.meta.url);

/**
 * Allocates `bytes` shared by all threads; the memory never grows. If SIMD is missing, or the address space is limited
 * (`ulimit -v`), of which every shared WebAssembly memory reserves gigabytes, the plain kernel is used: same bits, slower.
 * @throws InternalError for more bytes than addresses
 */
export function allocateKernelMemory(
  bytes: number,
  kernel: "auto" | "plain" = "auto",
): KernelMemory {
  if (bytes > MAX_MEMORY_BYTES)
    throw new InternalError(
      `expected slots of at most ${MAX_MEMORY_BYTES} bytes, found ${bytes}`,
    );
  if (kernel !== "plain") {
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
    } catch {
      // The plain kernel runs everywhere.
    }
  }
  return {
    module: null,
    memory: null,
    buffer: new SharedArrayBuffer(bytes),
  };
}
