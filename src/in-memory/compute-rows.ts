import { type RowsContext, SlotRows } from "../../workers/slot-rows.js";
import { numbersAt } from "../arrow/stored-numbers.js";
import { BadRowError, UsageError } from "../errors.js";
import type { Kernel } from "../kernels/kernel.js";
import { kernelOn } from "../kernels/simd-kernel.js";
import { type AuxiliaryName, valuesOf } from "../results/catalogue.js";
import { blockRowStart, type ResultColumn } from "../results/columns.js";
import { allocateKernelMemory } from "../tasks/kernel-memory.js";
import { layoutSlot, planRowBlocks } from "../tasks/slot-layout.js";
import { asNumber } from "./as-numbers.js";

/** Typed array of logits and results. */
export type FloatArray = Float64Array | Float32Array;
/** Typed array of one result of `softmaxResults`. */
export type ResultArray = FloatArray | Int32Array;

/** Row-major arrays, already checked. */
export interface Rows {
  logits: FloatArray;
  rows: number;
  classes: number;
  temperature: number;
  /** Auxiliary inputs, in the order of the results. */
  inputs: { option: AuxiliaryName; values: number; data: ArrayLike<number> }[];
  onBadRow: "error" | "nan";
}

/** Lower than the limits of V8 on typed arrays. */
const MAX_VALUES = 2 ** 32;

/**
 * Computes results in memory, one row block at a time: one row-major array per column. Bad rows are NaN (-1 in integer
 * columns), or an error.
 */
export function computeInMemory(
  input: Rows,
  results: ResultColumn[],
): ResultArray[] {
  const { logits, rows, classes, inputs } = input;
  for (const { values, name } of results)
    if (rows * values > MAX_VALUES)
      throw new UsageError(
        `rows, classes: expected at most ${MAX_VALUES} results in one array, found ${rows * values} of ${name}; use run on files instead`,
      );
  const arrays = results.map(({ type, values, width }) => {
    const length = rows * values;
    return arrayAt(new ArrayBuffer(length * width), type, 0, length);
  });
  const sources = sourcesOf(input);
  const rowBytes = sources.reduce((sum, s) => sum + s.values * s.width, 0);
  const blocks = planRowBlocks(classes, results, rowBytes, rows);
  const { rowBlockSize, tileRows } = blocks;
  const slot = layoutSlot({
    ...{ slack: 0, loadRows: rowBlockSize, rowBlockSize, tileRows },
    ...{ classes, results, sources },
  });
  const slotRows = openRows({ ...input, slot, sources, results });
  const outs = slot.results;
  const copyOut = (n: number, at: number, length: number) => {
    const { type } = results[n] as ResultColumn;
    const { buffer } = slotRows.context;
    arrays[n]?.set(arrayAt(buffer, type, outs[n] as number, length), at);
  };
  const computeTiles = (first: number): number[] => {
    const tileAddress = (n: number) => outs[n] as number;
    const tiles = slotRows.computeTiles(0, tileRows, outs, tileAddress);
    let tile = tiles.next();
    for (; !tile.done; tile = tiles.next()) {
      const { n, i, end } = tile.value;
      const { block, values } = results[n] as ResultColumn;
      const skip = blockRowStart(block ?? "square", classes, i);
      const length = blockRowStart(block ?? "square", classes, end) - skip;
      copyOut(n, first * values + skip, length);
    }
    return tile.value;
  };
  for (let first = 0; first < rows; first += rowBlockSize) {
    const count = Math.min(rowBlockSize, rows - first);
    fillRows(slotRows, 0, logits, first, count);
    inputs.forEach(({ data }, n) => {
      fillRows(slotRows, n + 1, data, first, count);
    });
    const isTiled = tileRows < classes;
    const bad = isTiled
      ? computeTiles(first)
      : slotRows.compute(0, count, outs);
    results.forEach(({ block, values }, n) => {
      if (!isTiled || block === null)
        copyOut(n, first * values, count * values);
    });
    for (const row of bad) {
      rejectRow(slotRows, row, first + row, input.onBadRow);
      results.forEach(({ values, type }, n) => {
        const start = (first + row) * values;
        const none = type === "int32" ? -1 : Number.NaN;
        arrays[n]?.fill(none, start, start + values);
      });
    }
  }
  return arrays;
}

/** Returns a view of `length` values at `address`. */
export function arrayAt(
  buffer: ArrayBufferLike,
  type: ResultColumn["type"],
  address: number,
  length: number,
): ResultArray {
  return numbersAt(buffer, address, type, length) as ResultArray;
}

/** Returns the sources of a slot: the logits, then the auxiliary inputs. */
export function sourcesOf({
  logits,
  classes,
  inputs,
}: Pick<Rows, "logits" | "classes" | "inputs">) {
  const stored = { storage: "fixed-size-list" } as const;
  const float64 = { ...stored, type: "float64", width: 8 } as const;
  const float32 = { ...stored, type: "float32", width: 4 } as const;
  const type = logits instanceof Float32Array ? float32 : float64;
  return [
    { ...type, name: "logits", holds: "logits" as const, values: classes },
    ...inputs.map(({ option, values }) => {
      const holds = valuesOf(option);
      return { ...float64, name: nameOf(option), holds, values };
    }),
  ];
}

/** Returns the name of an auxiliary input of `softmaxResults`. */
export function nameOf(option: AuxiliaryName): string {
  return option === "classColumn" ? "class" : option;
}

/** Copies rows of source `n` into the slot. */
export function fillRows(
  { context: { buffer, sources, slot } }: SlotRows<RowsContext>,
  n: number,
  data: ArrayLike<number>,
  first: number,
  rows: number,
): void {
  const { type, values } = sources[n] as RowsContext["sources"][number];
  const address = slot.sources[n]?.raw ?? 0;
  const length = rows * values;
  const stored = type === "float32" ? type : "float64";
  const target = arrayAt(buffer, stored, address, length);
  if (data instanceof Float64Array || data instanceof Float32Array)
    target.set(data.subarray(first * values, (first + rows) * values));
  else
    for (let k = 0; k < length; k++)
      target[k] = asNumber(data[first * values + k]);
}

/** Rejects a bad row unless it becomes NaN; an invalid label is always rejected. */
export function rejectRow(
  slotRows: SlotRows<RowsContext>,
  row: number,
  number: number,
  onBadRow: "error" | "nan",
  advice = 'onBadRow: "nan" gives NaN for the row',
): void {
  const reason = slotRows.badRowReason(row);
  if (reason?.advice || onBadRow === "error")
    throw new BadRowError(
      "logits",
      number,
      reason ?? { expected: "a row with results", found: "none" },
      reason?.advice ?? advice,
    );
}

/** Memory reused from call to call, because every shared WebAssembly memory reserves gigabytes of address space. */
let memory: { buffer: SharedArrayBuffer; kernel: Kernel } | null = null;

/** Opens a slot in the reused memory, which is valid until the next call. */
export function openRows(
  context: Omit<RowsContext, "buffer">,
): SlotRows<RowsContext> {
  const { bytes } = context.slot;
  if (!memory || memory.buffer.byteLength < bytes) {
    const allocated = allocateKernelMemory(bytes);
    const { buffer } = allocated;
    memory = { buffer, kernel: kernelOn(allocated) };
  }
  const { buffer, kernel } = memory;
  return new SlotRows({ ...context, buffer }, kernel, 0);
}
