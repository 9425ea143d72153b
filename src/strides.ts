import { BadRowError, UsageError } from "./errors.js";
import { describeBadRow } from "./numeric/bad-row.js";
import type { Kernel } from "./numeric/kernel.js";
import { kernelOn } from "./numeric/simd-kernel.js";
import { STRIDE_BYTES } from "./plan.js";
import { allocateKernelMemory } from "./slots/kernel-memory.js";
import { layoutSlot, type SlotLayout } from "./slots/slot-layout.js";

export type FloatArray = Float64Array | Float32Array;

export interface InMemoryOptions {
  rows: number;
  classes: number;
  /** A row with NaN, +inf or nothing but -inf: throw (default), or give NaN. */
  onBadRow?: "error" | "nan";
}

/** V8's largest typed array has 2^33 values or fewer; long before, memory is at an end. */
const MAX_VALUES = 2 ** 32;

/** Computes `rows` rows that stand in the slot and writes them to `target`. Returns the bad ones, from 0. */
export type ComputeStride = (
  slot: Slot,
  rows: number,
  target: FloatArray,
) => Int32Array;

/**
 * Runs `compute` over all rows, a stride at a time in one slot: `rowValues` results a row; `wholeBlocks` makes room for
 * the blocks of a whole stride, else for one row of one block.
 * @throws UsageError, BadRowError
 */
export function eachStride<T extends FloatArray>(
  logits: T,
  { rows, classes, onBadRow = "error" }: InMemoryOptions,
  rowValues: number,
  wholeBlocks: boolean,
  compute: ComputeStride,
): T {
  checkShape(logits, rows, classes);
  if (onBadRow !== "error" && onBadRow !== "nan")
    throw new UsageError(
      `onBadRow: expected error or nan, found ${JSON.stringify(onBadRow)}`,
      "onBadRow",
    );
  if (rows * rowValues > MAX_VALUES)
    throw new UsageError(
      `rows, classes: expected at most ${MAX_VALUES} results in one array, found ${rows * rowValues}: use run on files`,
      "rows",
    );
  const float32 = logits instanceof Float32Array;
  const out: FloatArray = float32
    ? new Float32Array(rows * rowValues)
    : new Float64Array(rows * rowValues);
  const width = logits.BYTES_PER_ELEMENT as 4 | 8;
  const strideRows = Math.max(
    1,
    Math.min(rows, Math.floor(STRIDE_BYTES / (rowValues * width))),
  );
  const slot = slotFor(strideRows, classes, width, wholeBlocks);
  for (let first = 0; first < rows; first += strideRows) {
    const count = Math.min(strideRows, rows - first);
    const source = logits.subarray(first * classes, (first + count) * classes);
    const target = out.subarray(first * rowValues, (first + count) * rowValues);
    slot.values(slot.logits, source.length).set(source);
    for (const r of compute(slot, count, target)) {
      const bad = logits.subarray(
        (first + r) * classes,
        (first + r + 1) * classes,
      );
      if (onBadRow === "error")
        throw new BadRowError(
          "logits",
          first + r,
          describeBadRow(bad),
          'onBadRow: "nan" gives NaN for the row',
        );
      target.fill(Number.NaN, r * rowValues, (r + 1) * rowValues);
    }
  }
  return out as T;
}

function checkShape(logits: FloatArray, rows: number, classes: number): void {
  if (!(logits instanceof Float64Array || logits instanceof Float32Array))
    throw new UsageError(
      "logits: expected a Float64Array or a Float32Array",
      "logits",
    );
  if (!Number.isSafeInteger(rows) || rows < 0)
    throw new UsageError(
      `rows: expected a whole number from 0, found ${rows}`,
      "rows",
    );
  if (!Number.isSafeInteger(classes) || classes < 1)
    throw new UsageError(
      `classes: expected a whole number from 1, found ${classes}`,
      "classes",
    );
  if (logits.length !== rows * classes)
    throw new UsageError(
      `logits: expected ${rows} x ${classes} = ${rows * classes} values, found ${logits.length}`,
      "logits",
    );
}

/** A slot in the kernel's memory; addresses in bytes. */
export interface Slot extends SlotLayout {
  kernel: Kernel;
  buffer: SharedArrayBuffer;
  classes: number;
  float32: boolean;
  values(address: number, length: number): FloatArray;
}

/** Kept from call to call: a shared WebAssembly memory reserves GiBs of address space, so there is one. */
let kept: { buffer: SharedArrayBuffer; kernel: Kernel } | null = null;

function slotFor(
  strideRows: number,
  classes: number,
  width: 4 | 8,
  wholeBlocks: boolean,
): Slot {
  const layout = layoutSlot({
    loadRows: strideRows,
    strideRows,
    tileRows: wholeBlocks ? classes : 1,
    classes,
    sourceWidth: width,
    width,
    form: "fixed-size-list",
  });
  if (!kept || kept.buffer.byteLength < layout.bytes) {
    const memory = allocateKernelMemory(layout.bytes, "auto");
    kept = { buffer: memory.buffer, kernel: kernelOn(memory) };
  }
  const { buffer, kernel } = kept;
  const float32 = width === 4;
  return {
    ...layout,
    kernel,
    buffer,
    classes,
    float32,
    values: (address, length) =>
      float32
        ? new Float32Array(buffer, address, length)
        : new Float64Array(buffer, address, length),
  };
}
