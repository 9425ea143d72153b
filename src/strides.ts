import { BadRowError, UsageError } from "./errors.js";
import { describeBadInput, describeBadRow } from "./numeric/bad-row.js";
import type { Kernel } from "./numeric/kernel.js";
import { kernelOn } from "./numeric/simd-kernel.js";
import {
  computeStride,
  computeTiles,
  type Stride,
  type StrideResult,
} from "./numeric/stride.js";
import { planStrides } from "./plan.js";
import type { InputName } from "./results/catalogue.js";
import { blockRowStart, type ResultColumn } from "./results/columns.js";
import { allocateKernelMemory } from "./slots/kernel-memory.js";
import { layoutSlot, type SlotLayout } from "./slots/slot-layout.js";

/** Typed array of logits and results. */
export type FloatArray = Float64Array | Float32Array;
/** Typed array of one result of `softmaxResults`. */
export type ResultArray = FloatArray | Int32Array;

/** Arrays of one row after the other, checked. */
export interface Rows {
  logits: FloatArray;
  rows: number;
  classes: number;
  temperature: number;
  /** The other inputs, in the order that the results have them. */
  inputs: { option: InputName; values: number; data: ArrayLike<number> }[];
  onBadRow: "error" | "nan";
}

/** V8's largest typed array has 2^33 values or fewer; long before, memory is at an end. */
const MAX_VALUES = 2 ** 32;

/**
 * Computes results in memory, a stride at a time in one slot: one array per column, rows one after the other.
 * Bad rows are NaN (-1 in columns of whole numbers), or end it.
 * @throws UsageError, BadRowError
 */
export function computeInMemory(
  input: Rows,
  columns: ResultColumn[],
): ResultArray[] {
  const { logits, rows, classes, inputs } = input;
  for (const { values, name } of columns)
    if (rows * values > MAX_VALUES)
      throw new UsageError(
        `rows, classes: expected at most ${MAX_VALUES} results in one array, found ${rows * values} of ${name}; use run on files instead`,
        "rows",
      );
  const out = columns.map((column) => newArray(column, rows * column.values));
  const width = logits.BYTES_PER_ELEMENT as 4 | 8;
  const { strideRows, tileRows } = planStrides(
    classes,
    columns,
    inputs.reduce((sum, input) => sum + 8 * input.values, width * classes),
    rows,
  );
  const slot = layoutSlot({
    slack: 0,
    loadRows: strideRows,
    strideRows,
    tileRows,
    classes,
    results: columns,
    sources: [
      { form: "fixed-size-list", width, values: classes, widened: false },
      ...inputs.map(({ values }) => ({
        form: "fixed-size-list" as const,
        width: 8,
        values,
        widened: false,
      })),
    ],
  });
  const { kernel, buffer } = memoryFor(slot.bytes);
  kernel.prepare(slot.work);
  for (let first = 0; first < rows; first += strideRows) {
    const count = Math.min(strideRows, rows - first);
    fill(input, slot, buffer, first, count);
    const stride = strideOf(input, columns, slot, kernel, buffer, count);
    const bad =
      tileRows < classes
        ? tiled(stride, columns, tileRows, out, first)
        : whole(stride, columns, out, first);
    for (const r of bad) spoil(input, columns, out, first + r);
  }
  return out;
}

/** Copies rows into the slot. */
function fill(
  { logits, classes, inputs }: Rows,
  slot: SlotLayout,
  buffer: SharedArrayBuffer,
  first: number,
  rows: number,
): void {
  const place = (n: number) => slot.sources[n]?.raw ?? 0;
  const target =
    logits instanceof Float32Array
      ? new Float32Array(buffer, place(0), rows * classes)
      : new Float64Array(buffer, place(0), rows * classes);
  target.set(logits.subarray(first * classes, (first + rows) * classes));
  inputs.forEach(({ values, data }, n) => {
    const to = new Float64Array(buffer, place(n + 1), rows * values);
    for (let k = 0; k < to.length; k++)
      to[k] = Number(data[first * values + k]);
  });
}

function strideOf(
  { logits, classes, temperature, inputs }: Rows,
  columns: ResultColumn[],
  slot: SlotLayout,
  kernel: Kernel,
  buffer: SharedArrayBuffer,
  rows: number,
): Stride {
  return {
    kernel,
    buffer,
    source: slot.sources[0]?.raw ?? 0,
    sourceFloat32: logits instanceof Float32Array,
    rows,
    classes,
    temperature,
    work: slot.work,
    program: slot.program,
    badRows: slot.badRows,
    results: columns.map(
      (
        { code, param, type, width, values, block, input },
        n,
      ): StrideResult => ({
        code,
        param,
        type,
        width,
        values,
        block,
        out: slot.results[n] as number,
        input: slot.sources[input + 1]?.raw ?? 0,
        inputBytes: input < 0 ? 0 : 8 * (inputs[input]?.values ?? 0),
      }),
    ),
  };
}

function whole(
  stride: Stride,
  columns: ResultColumn[],
  out: ResultArray[],
  first: number,
): Iterable<number> {
  const bad = computeStride(stride);
  columns.forEach((column, n) => {
    const { values } = column;
    const from = (stride.results[n] as StrideResult).out;
    out[n]?.set(
      arrayAt(stride.buffer, column, from, stride.rows * values),
      first * values,
    );
  });
  return bad;
}

function tiled(
  stride: Stride,
  columns: ResultColumn[],
  tileRows: number,
  out: ResultArray[],
  row: number,
): Iterable<number> {
  const copy = (n: number, skip: number, length: number) => {
    const column = columns[n] as ResultColumn;
    const from = (stride.results[n] as StrideResult).out;
    out[n]?.set(
      arrayAt(stride.buffer, column, from, length),
      row * column.values + skip,
    );
  };
  const outOf = (n: number) => (stride.results[n] as StrideResult).out;
  const good = computeTiles(stride, tileRows, outOf, (n, i, end) => {
    const block = columns[n]?.block ?? "square";
    const skip = blockRowStart(block, stride.classes, i);
    copy(n, skip, blockRowStart(block, stride.classes, end) - skip);
  });
  columns.forEach(({ block, values }, n) => {
    if (block === null) copy(n, 0, values);
  });
  return good ? [] : [0];
}

/** @throws BadRowError where that is asked for, or the label is neither a class nor none */
function spoil(
  input: Rows,
  columns: ResultColumn[],
  out: ResultArray[],
  row: number,
): void {
  const { logits, classes, inputs } = input;
  const ofInputs = inputs.map(({ option, values, data }) =>
    describeBadInput(
      option,
      Float64Array.from({ length: values }, (_, k) =>
        Number(data[row * values + k]),
      ),
      option === "label" || option === "classColumn" ? "class" : "numbers",
      classes,
    ),
  );
  const wrong = ofInputs.find((reason) => reason?.advice);
  if (wrong || input.onBadRow === "error")
    throw new BadRowError(
      "logits",
      row,
      wrong ??
        describeBadRow(logits.subarray(row * classes, (row + 1) * classes)) ??
        ofInputs.find((reason) => reason !== null) ?? {
          expected: "a row with results",
          found: "none",
        },
      wrong?.advice ?? 'onBadRow: "nan" gives NaN for the row',
    );
  columns.forEach(({ values, type }, n) => {
    out[n]?.fill(
      type === "int32" ? -1 : Number.NaN,
      row * values,
      (row + 1) * values,
    );
  });
}

function newArray({ type }: ResultColumn, length: number): ResultArray {
  if (type === "int32") return new Int32Array(length);
  return type === "float32"
    ? new Float32Array(length)
    : new Float64Array(length);
}

function arrayAt(
  buffer: ArrayBufferLike,
  { type }: ResultColumn,
  address: number,
  length: number,
): ResultArray {
  if (type === "int32") return new Int32Array(buffer, address, length);
  return type === "float32"
    ? new Float32Array(buffer, address, length)
    : new Float64Array(buffer, address, length);
}

/** Kept from call to call: a shared WebAssembly memory reserves GiBs of address space, so there is one. */
let kept: { buffer: SharedArrayBuffer; kernel: Kernel } | null = null;

export function memoryFor(bytes: number): {
  buffer: SharedArrayBuffer;
  kernel: Kernel;
} {
  if (!kept || kept.buffer.byteLength < bytes) {
    const memory = allocateKernelMemory(bytes);
    kept = { buffer: memory.buffer, kernel: kernelOn(memory) };
  }
  return kept;
}
