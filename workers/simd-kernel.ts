import type { Kernel } from "../src/numeric/kernel.js";

/** The SIMD kernel on `memory`, from the compiled module (see kernels/). Instantiating writes nothing into the memory. */
export function simdKernel(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Kernel {
  return new WebAssembly.Instance(module, { env: { memory } })
    .exports as unknown as Kernel;
}
