import type { Kernel } from "./kernel.js";
import { plainKernel } from "./plain-kernel.js";

/** Returns the SIMD kernel (src/kernels/simd) on `memory`. Instantiating it does not write to the memory. */
export function simdKernel(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Kernel {
  return new WebAssembly.Instance(module, { env: { memory } })
    .exports as unknown as Kernel;
}

/** Returns the SIMD kernel if there is a module, else the plain kernel; both give the same bits. */
export function kernelOn({
  module,
  memory,
  buffer,
}: {
  module: WebAssembly.Module | null;
  memory: WebAssembly.Memory | null;
  buffer: SharedArrayBuffer;
}): Kernel {
  return module && memory ? simdKernel(module, memory) : plainKernel(buffer);
}
