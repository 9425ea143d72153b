import { readFileSync } from "node:fs";
import { ConfigurationError, InternalError } from "../errors.js";

/** Memory of the slots, and the compiled SIMD kernel; `module` and `memory` are null for the plain kernel. */
export interface KernelMemory {
  module: WebAssembly.Module | null;
  memory: WebAssembly.Memory | null;
  buffer: SharedArrayBuffer;
}

const PAGE_BYTES = 65536;

/** Kernels use 32-bit addresses. */
export const MAX_MEMORY_BYTES = 2 ** 32 - PAGE_BYTES;
const WASM_URL = new URL("./kernels.wasm", import.meta.url);

/**
 * Allocates `bytes` shared by all threads; the memory never grows. Falls back to the plain kernel (same bits, slower) if
 * SIMD is missing or if the address space is limited (`ulimit -v`): a shared WebAssembly memory reserves gigabytes of it.
 * @throws InternalError for more than MAX_MEMORY_BYTES
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
    const initial = Math.ceil(bytes / PAGE_BYTES);
    const pages = { initial, maximum: initial, shared: true };
    const code = readFileSync(WASM_URL);
    try {
      const module = new WebAssembly.Module(code);
      const memory = new WebAssembly.Memory(pages);
      return { module, memory, buffer: memory.buffer };
    } catch {
      // The plain kernel runs everywhere.
    }
  }
  return { module: null, memory: null, buffer: new SharedArrayBuffer(bytes) };
}

let compiled: WebAssembly.Module | null = null;

/**
 * Returns the compiled kernel of sums.
 * @param caller name in the message
 * @throws ConfigurationError without WebAssembly SIMD
 */
export function sumsModule(caller: string): WebAssembly.Module {
  const bytes = readFileSync(new URL("./sums.wasm", import.meta.url));
  try {
    compiled ??= new WebAssembly.Module(bytes);
    return compiled;
  } catch (cause) {
    throw new ConfigurationError(
      cause instanceof RangeError
        ? `${caller}: the system gives no memory for WebAssembly; raise the limit (ulimit -v)`
        : `${caller} needs WebAssembly SIMD, which this runtime does not provide`,
      { cause },
    );
  }
}
