import { readFileSync } from "node:fs";
import type { Kernel } from "../../src/numeric/kernel.js";
import { plainKernel } from "../../src/numeric/plain-kernel.js";
import { simdKernel } from "../../src/numeric/simd-kernel.js";
import { workAreaBytes } from "../../src/numeric/work-area.js";

export const KERNEL_NAMES = ["plain", "simd"] as const;

/** A kernel of the given name on a memory of its own. The SIMD module missing or failing fails the test. */
export function testKernel(
  name: (typeof KERNEL_NAMES)[number],
  bytes = 4 << 20,
): { kernel: Kernel; buffer: SharedArrayBuffer } {
  const pages = Math.ceil(bytes / 65536);
  const memory = new WebAssembly.Memory({
    initial: pages,
    maximum: pages,
    shared: true,
  });
  const module = new WebAssembly.Module(
    readFileSync(new URL("../../dist/kernels.wasm", import.meta.url)),
  );
  return {
    kernel:
      name === "simd" ? simdKernel(module, memory) : plainKernel(memory.buffer),
    buffer: memory.buffer,
  };
}

export interface Blocks {
  softmax: Float64Array | Float32Array;
  jacobian: Float64Array | Float32Array;
  bad: number[];
}

/** storeBlocks on rows of equal length. */
export function blocks(
  { kernel, buffer }: ReturnType<typeof testKernel>,
  rows: ArrayLike<number>[],
  source: "float32" | "float64",
  out: "float32" | "float64",
): Blocks {
  const classes = (rows[0] as ArrayLike<number>).length;
  const M = rows.length;
  const align = (n: number) => (n + 63) & ~63;
  const input = 64;
  const work = input + align(8 * M * classes);
  const softmaxOut = work + align(workAreaBytes(classes));
  const jacobianOut = softmaxOut + align(8 * M * classes);
  const badRows = jacobianOut + align(8 * M * classes * classes);
  const copy = (address: number, length: number) =>
    out === "float32"
      ? new Float32Array(buffer, address, length).slice()
      : new Float64Array(buffer, address, length).slice();
  const logits =
    source === "float32"
      ? new Float32Array(buffer, input, M * classes)
      : new Float64Array(buffer, input, M * classes);
  rows.forEach((row, r) => {
    logits.set(row, r * classes);
  });
  const count = kernel.storeBlocks(
    input,
    source === "float32",
    M,
    classes,
    work,
    softmaxOut,
    jacobianOut,
    out === "float32",
    badRows,
  );
  return {
    softmax: copy(softmaxOut, M * classes),
    jacobian: copy(jacobianOut, M * classes * classes),
    bad: Array.from(new Int32Array(buffer, badRows, count)),
  };
}
