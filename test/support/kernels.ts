import { readFileSync } from "node:fs";
import { expect } from "vitest";
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

export interface Memory {
  kernel: Kernel;
  buffer: SharedArrayBuffer;
}

/** Returns a kernel with its own memory. A missing or broken SIMD module fails the test. */
function testKernel(
  name: (typeof KERNEL_NAMES)[number],
  bytes = 16 << 20,
): Memory {
  const initial = Math.ceil(bytes / 65536);
  const pages = { initial, maximum: initial, shared: true };
  const memory = new WebAssembly.Memory(pages);
  const module = new WebAssembly.Module(readFileSync(distFile("kernels.wasm")));
  return {
    kernel:
      name === "simd" ? simdKernel(module, memory) : plainKernel(memory.buffer),
    buffer: memory.buffer,
  };
}

/** Returns both kernels. */
export function bothKernels(bytes?: number): Memory[] {
  return KERNEL_NAMES.map((name) => testKernel(name, bytes));
}

export interface Entry {
  code: number;
  /** Number of values per row. */
  values: number;
  /** Row of the auxiliary input for each row. */
  input?: ArrayLike<number>[];
  param?: number;
}

export interface Stored {
  /** One array per result, rows concatenated. */
  results: (Float64Array | Float32Array)[];
  bad: number[];
}

type Rows = ArrayLike<number>[];

export interface StoredOptions {
  source?: FloatType;
  out?: FloatType;
  temperature?: number;
}

/** Calls storeRows for rows of equal length. */
export function stored(
  { kernel, buffer }: Memory,
  rows: Rows,
  entries: Entry[],
  { source = "float64", out = "float64", temperature = 1 }: StoredOptions = {},
): Stored {
  const classes = lengthOf(rows);
  const M = rows.length;
  const width = out === "float32" ? 4 : 8;
  let end = 64;
  const region = (bytes: number) => {
    const start = end;
    end += Math.ceil((bytes + 8) / 64) * 64;
    return start;
  };
  const floats = (type: FloatType, address: number, length: number) =>
    floatsAt(buffer, type, address, length);
  const put = (type: FloatType, values: Rows) => {
    const length = lengthOf(values);
    const at = region(8 * values.length * length);
    const all = floats(type, at, values.length * length);
    for (const [r, row] of values.entries()) all.set(row, r * length);
    return at;
  };
  const logits = put(source, rows);
  const work = region(workAreaBytes(classes));
  kernel.prepare(work);
  const badRows = region(4 * M);
  const program = region(ENTRY_BYTES * entries.length);
  enter(buffer);
  const places = entries.map(({ code, values, input, param = -1 }, n) => {
    const inputs = input ? put("float64", input) : 0;
    const bytes = input ? 8 * lengthOf(input) : 0;
    const at = region(M * values * width);
    const entry = program + n * ENTRY_BYTES;
    const float32 = out === "float32";
    storeEntry(entry, code, at, values * width, inputs, bytes, param, float32);
    return at;
  });
  const count = kernel.storeRows(
    ...([logits, source === "float32", M, classes, temperature] as const),
    ...([work, program, entries.length, badRows] as const),
  );
  return {
    results: entries.map(({ values }, n) =>
      floats(out, places[n] as number, M * values).slice(),
    ),
    bad: Array.from(new Int32Array(buffer, badRows, count)),
  };
}

export function floatsAt(
  buffer: SharedArrayBuffer,
  type: FloatType,
  address: number,
  length: number,
): Float64Array | Float32Array {
  return type === "float32"
    ? new Float32Array(buffer, address, length)
    : new Float64Array(buffer, address, length);
}

function lengthOf([first]: Rows): number {
  return first?.length ?? 0;
}

/** Asserts that all memories get the same bits, and the same bad rows; returns them. */
export function expectSameBits(
  memories: readonly Memory[],
  rows: Rows,
  entries: Entry[],
  options?: StoredOptions,
): Stored {
  const [first, ...others] = memories.map((memory) =>
    stored(memory, rows, entries, options),
  ) as [Stored, Stored];
  for (const { bad, results } of others)
    expect({ bad, bits: results.map(bitsOf) }).toEqual({
      bad: first.bad,
      bits: first.results.map(bitsOf),
    });
  return first;
}

function bitsOf(values: Float64Array | Float32Array): Int32Array {
  const { buffer, byteOffset, byteLength } = values;
  return new Int32Array(buffer, byteOffset, byteLength / 4);
}

/** Softmax and Jacobian. */
export function blockEntries(classes: number): Entry[] {
  return [
    { code: SOFTMAX, values: classes },
    { code: JACOBIAN, values: classes * classes },
  ];
}
