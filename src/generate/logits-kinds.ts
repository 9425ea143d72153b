import { normalQuantile } from "./normal-quantile.js";
import { STREAM, storeUniforms } from "./uniforms.js";

export const LOGITS_KINDS = ["notebook", "normal", "peaked"] as const;
/**
 * Distribution of the logits of a row.
 *
 * | kind     | distribution                                                                                     |
 * |----------|--------------------------------------------------------------------------------------------------|
 * | notebook | each uniform on -5, -4.5, … 5, as NumPy's randint(-10, 11)/2                                     |
 * | normal   | each N(0, scale²)                                                                                |
 * | peaked   | N(0, 1), except for one random class: the largest of the others + a margin uniform on (0, 40)    |
 */
export type LogitsKind = (typeof LOGITS_KINDS)[number];

/** Largest margin of a peaked row: beyond 37 a float64 p of the winner is 1. */
const MARGIN = 40;
const peak = new Float64Array(2);

/** Fills `out` with the logits of one row, in place of the uniforms that they are made of. */
export function storeLogits(
  out: Float64Array,
  kind: LogitsKind,
  scale: number,
  seed: number,
  row: number,
): void {
  storeUniforms(out, seed, row, STREAM.logits);
  const classes = out.length;
  if (kind === "notebook") {
    for (let k = 0; k < classes; k++)
      out[k] = (Math.floor((out[k] as number) * 21) - 10) / 2;
    return;
  }
  const factor = kind === "normal" ? scale : 1;
  for (let k = 0; k < classes; k++)
    out[k] = factor * normalQuantile(out[k] as number);
  if (kind === "peaked") raiseOne(out, seed, row);
}

function raiseOne(out: Float64Array, seed: number, row: number): void {
  storeUniforms(peak, seed, row, STREAM.peak);
  const winner = Math.floor((peak[0] as number) * out.length);
  let most = -Infinity;
  for (let k = 0; k < out.length; k++)
    if (k !== winner) most = Math.max(most, out[k] as number);
  out[winner] = (out.length > 1 ? most : 0) + MARGIN * (peak[1] as number);
}
