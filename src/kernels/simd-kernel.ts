import type { Kernel } from "./kernel.js";
import { plainKernel } from "./plain-kernel.js";

/** The SIMD kernel on `memory`, from the compiled module (src/kernels/simd). Instantiating writes nothing into the memory. */
export function simdKernel(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Kernel {
  return new WebAssembly.Instance(module, { env: { memory } })
    .exports as unknown as Kernel;
}

/** The kernel for a memory: SIMD where there is a module for it, else the plain one; same bits. */
export function kernelOn(at: {
  module: WebAssembly.Module | null;
  memory: WebAssembly.Memory | null;
  buffer: SharedArrayBuffer;
}): Kernel {
  return at.module && at.memory
    ? simdKernel(at.module, at.memory)
    : plainKernel(at.buffer);
}
