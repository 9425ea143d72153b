import { readFileSync } from "node:fs";
import type { Kernel } from "../../src/kernels/kernel.js";
import { plainKernel } from "../../src/kernels/plain-kernel.js";
import { JACOBIAN, SOFTMAX } from "../../src/kernels/portable/codes.js";
import { enter } from "../../src/kernels/portable/machine.js";
import { ENTRY_BYTES, storeEntry } from "../../src/kernels/portable/program.js";
import { workAreaBytes } from "../../src/kernels/portable/work.js";
import { simdKernel } from "../../src/kernels/simd-kernel.js";
import { distFile } from "./dist.js";

export type FloatType = "float32" | "float64";

export const KERNEL_NAMES = ["plain", "simd"] as const;

const { Module } = WebAssembly;

/** Makes runs of this process use the plain kernel, as without SIMD, or the default one again. */
export function setKernel(name: (typeof KERNEL_NAMES)[number]): void {
  const missing = function missing() {
    throw new Error("SIMD is missing");
  };
  WebAssembly.Module = name === "plain" ? (missing as never) : Module;
}

/** Returns a kernel with its own memory. A missing or broken SIMD module fails the test. */
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
  const module = new WebAssembly.Module(readFileSync(distFile("kernels.wasm")));
  return {
    kernel:
      name === "simd" ? simdKernel(module, memory) : plainKernel(memory.buffer),
    buffer: memory.buffer,
  };
}

export interface Entry {
  code: number;
  /** Number of values per row. */
  values: number;
  /** Row of the auxiliary input for each row. */
  input?: number[][];
  param?: number;
}

export interface Stored {
  /** One array per result, rows concatenated. */
  results: (Float64Array | Float32Array)[];
  bad: number[];
}

/** Calls storeRows for rows of equal length. */
export function stored(
  { kernel, buffer }: ReturnType<typeof testKernel>,
  rows: ArrayLike<number>[],
  entries: Entry[],
  {
    source = "float64",
    out = "float64",
    temperature = 1,
  }: { source?: FloatType; out?: FloatType; temperature?: number } = {},
): Stored {
  const classes = (rows[0] as ArrayLike<number>).length;
  const M = rows.length;
  const width = out === "float32" ? 4 : 8;
  let end = 64;
  const region = (bytes: number) => {
    const start = end;
    end += Math.ceil((bytes + 8) / 64) * 64;
    return start;
  };
  const floats = (type: FloatType, address: number, length: number) =>
    type === "float32"
      ? new Float32Array(buffer, address, length)
      : new Float64Array(buffer, address, length);
  const logits = region(8 * M * classes);
  rows.forEach((row, r) => {
    floats(source, logits, M * classes).set(row, r * classes);
  });
  const work = region(workAreaBytes(classes));
  kernel.prepare(work);
  const badRows = region(4 * M);
  const program = region(ENTRY_BYTES * entries.length);
  enter(buffer);
  const places = entries.map(({ code, values, input, param }, n) => {
    const inputs = input ? region(8 * M * (input[0]?.length ?? 0)) : 0;
    input?.forEach((row, r) => {
      floats("float64", inputs, M * row.length).set(row, r * row.length);
    });
    const at = region(M * values * width);
    storeEntry(
      program + n * ENTRY_BYTES,
      code,
      at,
      values * width,
      inputs,
      8 * (input?.[0]?.length ?? 0),
      param ?? -1,
      out === "float32",
    );
    return at;
  });
  const count = kernel.storeRows(
    logits,
    source === "float32",
    M,
    classes,
    temperature,
    work,
    program,
    entries.length,
    badRows,
  );
  return {
    results: entries.map(({ values }, n) =>
      floats(out, places[n] as number, M * values).slice(),
    ),
    bad: Array.from(new Int32Array(buffer, badRows, count)),
  };
}

export interface Blocks {
  softmax: Float64Array | Float32Array;
  jacobian: Float64Array | Float32Array;
  bad: number[];
}

/** Returns softmax and full blocks. */
export function blocks(
  memory: ReturnType<typeof testKernel>,
  rows: ArrayLike<number>[],
  source: FloatType,
  out: FloatType,
  temperature = 1,
): Blocks {
  const classes = (rows[0] as ArrayLike<number>).length;
  const { results, bad } = stored(
    memory,
    rows,
    [
      { code: SOFTMAX, values: classes },
      { code: JACOBIAN, values: classes * classes },
    ],
    { source, out, temperature },
  );
  const [softmax, jacobian] = results;
  return { softmax, jacobian, bad } as Blocks;
}
