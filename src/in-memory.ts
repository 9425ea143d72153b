import { UsageError } from "./errors.js";
import { STRIDE_BYTES } from "./plan.js";
import {
  type ComputeStride,
  eachStride,
  type FloatArray,
  type InMemoryOptions,
  type Slot,
} from "./strides.js";

/**
 * Softmax of each row: p_j = exp(o_j) / sum_k exp(o_k), summed over all classes.
 *
 * @param logits `[rows, classes]`, row-major; -inf masks a class (p = 0). Not changed.
 * @returns `[rows, classes]`, of the same type; float64 within 1.5 ε (ε = 2^-52), float32 rounded once from that
 * @throws UsageError for sizes that do not fit; BadRowError
 */
export function softmax<T extends FloatArray>(
  logits: T,
  options: InMemoryOptions,
): T {
  return eachStride(logits, options, options.classes, false, softmaxStride);
}

/**
 * The Jacobian block of each row: J[i,j] = ∂softmax(o)_j / ∂o_i = p_i (δ_ij - p_j), without cancellation on the diagonal.
 * (Denominator layout: i is the input, j the output; blocks are symmetric. The blocks between different rows are zero.)
 *
 * @param logits `[rows, classes]`, row-major; -inf masks a class (its row and column are 0). Not changed.
 * @returns `[rows, classes, classes]`, of the same type; float64 within 3 ε, float32 rounded once from that
 * @throws UsageError for sizes that do not fit; BadRowError
 */
export function softmaxJacobian<T extends FloatArray>(
  logits: T,
  options: InMemoryOptions,
): T {
  const blockValues = options.classes * options.classes;
  const whole = blockValues * logits.BYTES_PER_ELEMENT <= STRIDE_BYTES;
  return eachStride(
    logits,
    options,
    blockValues,
    whole,
    whole ? blocksStride : rowByRow(blockRows),
  );
}

/**
 * One column of each block: ∂softmax(o)_j / ∂o_i for all i, that is p_j (δ_ij - p_i); the derivative of one class.
 *
 * @param logits `[rows, classes]`, row-major. Not changed.
 * @param j the class, 0 to classes - 1
 * @returns `[rows, classes]`, of the same type; within 3 ε as the block
 * @throws UsageError for sizes or a class that do not fit; BadRowError
 */
export function softmaxJacobianColumn<T extends FloatArray>(
  logits: T,
  j: number,
  options: InMemoryOptions,
): T {
  const { classes } = options;
  if (!Number.isInteger(j) || j < 0 || j >= classes)
    throw new UsageError(
      `class: expected a whole number from 0 to ${classes - 1}, found ${j}`,
      "class",
    );
  // The block is symmetric, to the bit: its column j is its row j.
  return eachStride(
    logits,
    options,
    classes,
    false,
    rowByRow((slot, target) => storeBlockRow(slot, j, target)),
  );
}

const softmaxStride: ComputeStride = (slot, rows, target) => {
  const count = storeBlocks(slot, rows, slot.softmax, 0);
  target.set(slot.values(slot.softmax, target.length));
  return new Int32Array(slot.buffer, slot.badRows, count);
};

const blocksStride: ComputeStride = (slot, rows, target) => {
  const count = storeBlocks(slot, rows, slot.softmax, slot.jacobian);
  target.set(slot.values(slot.jacobian, target.length));
  return new Int32Array(slot.buffer, slot.badRows, count);
};

function storeBlocks(
  { kernel, logits, classes, float32, work, badRows }: Slot,
  rows: number,
  softmaxOut: number,
  jacobianOut: number,
): number {
  return kernel.storeBlocks(
    logits,
    float32,
    rows,
    classes,
    work,
    softmaxOut,
    jacobianOut,
    float32,
    badRows,
  );
}

/** A stride of which each row is computed on its own, into its part of the target. */
function rowByRow(
  storeRow: (slot: Slot, target: FloatArray) => void,
): ComputeStride {
  return (slot, rows, target) => {
    const { kernel, classes, float32 } = slot;
    const values = target.length / rows;
    const bad: number[] = [];
    for (let r = 0; r < rows; r++) {
      const source = slot.logits + r * classes * (float32 ? 4 : 8);
      if (kernel.loadRow(source, float32, classes, slot.work))
        storeRow(slot, target.subarray(r * values, (r + 1) * values));
      else bad.push(r);
    }
    return Int32Array.from(bad);
  };
}

function blockRows(slot: Slot, target: FloatArray): void {
  const { classes } = slot;
  for (let i = 0; i < classes; i++)
    storeBlockRow(slot, i, target.subarray(i * classes, (i + 1) * classes));
}

function storeBlockRow(
  { kernel, classes, float32, work, jacobian, values }: Slot,
  i: number,
  target: FloatArray,
): void {
  const store = float32 ? kernel.storeTile32 : kernel.storeTile64;
  store(work, classes, i, i + 1, jacobian);
  target.set(values(jacobian, classes));
}
