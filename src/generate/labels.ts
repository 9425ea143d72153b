import { resultColumns } from "../results/columns.js";
import { computeInMemory, type FloatArray } from "../strides.js";
import { STREAM, storeUniforms } from "./uniforms.js";

/**
 * Draws a class for each row from softmax of its logits as they stand: the first whose p and those before it sum to more
 * than a uniform draw.
 *
 * @param logits `[rows, classes]`, finite; rows from `firstRow` on
 * @param labels `[rows]`, filled
 */
export function storeLabels(
  labels: Int32Array,
  logits: FloatArray,
  classes: number,
  seed: number,
  firstRow: number,
): void {
  const rows = labels.length;
  const columns = resultColumns({
    emit: ["softmax"],
    layout: "bsr",
    dtype: "float64",
    class: undefined,
    rows,
    classes,
    inputs: [],
  });
  const [p] = computeInMemory(
    { logits, rows, classes, temperature: 1, inputs: [], onBadRow: "error" },
    columns,
  );
  const u = new Float64Array(1);
  for (let r = 0; r < rows; r++) {
    storeUniforms(u, seed, firstRow + r, STREAM.label);
    labels[r] = classAt(
      p as Float64Array,
      r * classes,
      classes,
      u[0] as number,
    );
  }
}

/** The p sum to 1 within rounding: the last class that can be is where a draw beyond their sum falls. */
function classAt(
  p: Float64Array,
  start: number,
  classes: number,
  u: number,
): number {
  let sum = 0;
  let last = 0;
  for (let k = 0; k < classes; k++) {
    const x = p[start + k] as number;
    if (x > 0) last = k;
    sum += x;
    if (u < sum) return k;
  }
  return last;
}
