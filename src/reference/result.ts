import { UsageError } from "../errors.js";
import { EMITS, type EmitName, type EmitSpec } from "../results/catalogue.js";
import { valuesAllowed } from "../results/columns.js";
import * as block from "./block-results.js";
import { storeCovariance, storeVariance } from "./covariance-results.js";
import { storeLogJvp, storeLogVjp, storeProduct } from "./product-results.js";
import { type ReferenceRow, ROW } from "./row.js";
import * as whole from "./row-results.js";
import { PLACES } from "./scaled.js";
import { isUsableInput } from "./usable-input.js";
import {
  type ReferenceValues,
  referenceValues,
  storePlain,
  storeValue,
} from "./values.js";

/** A result of the catalogue, or the block as its upper triangle. */
export type ReferenceName = EmitName | "packed";

type Store = (
  row: ReferenceRow,
  out: ReferenceValues,
  input: ArrayLike<number>,
) => void;

/** Of a class: the one number of the input. */
const ofClass =
  (
    store: (row: ReferenceRow, out: ReferenceValues, k: number) => void,
  ): Store =>
  (row, out, input) =>
    store(row, out, input[0] as number);

const STORES: Record<ReferenceName, Store> = {
  softmax: whole.storeSoftmax,
  log_softmax: whole.storeLogSoftmax,
  logsumexp: whole.storeLogsumexp,
  jacobian: block.storeJacobian,
  packed: block.storePacked,
  log_jacobian: block.storeLogJacobian,
  column: ofClass(block.storeColumn),
  diagonal: block.storeDiagonal,
  trace: whole.storeTrace,
  vjp: storeProduct,
  jvp: storeProduct,
  log_vjp: storeLogVjp,
  log_jvp: storeLogJvp,
  factor: block.storeFactor,
  covariance: storeCovariance,
  variance: storeVariance,
  cross_entropy: ofClass(whole.storeCrossEntropy),
  gradient: ofClass(block.storeGradient),
  entropy: whole.storeEntropy,
  gini: whole.storeGini,
  argmax: ({ winner }, out) => storePlain(out, 0, winner),
  confidence: ({ p, winner }, out) => storeValue(out, 0, p, PLACES * winner),
  uncertainty: ({ q, winner }, out) => storeValue(out, 0, q, PLACES * winner),
  tail: ({ scalars }, out) => storeValue(out, 0, scalars, ROW.tail),
};

/**
 * One result of a row, to about 29 digits; formulas, shapes and what errors are relative to as in docs/results.md.
 *
 * @param input what the result needs beside the logits: `[classes]` cotangent or tangent, `[1]` label or class of
 *   `column` (also where one class holds for all rows), a covariance of Q, Q(Q+1)/2 or Q·Q values
 * @param out room of as many values, overwritten; without it, new
 * @returns null for an input that makes a bad row: a value that is not finite, a number that is no class
 * @throws UsageError for an input of another length, or none where one is needed
 */
export function referenceResult(
  name: ReferenceName,
  row: ReferenceRow,
  input: ArrayLike<number> = [],
  out: ReferenceValues = referenceValues(valuesOf(name, row.classes)),
): ReferenceValues | null {
  if (!isUsable(name, row.classes, input)) return null;
  STORES[name](row, out, input);
  return out;
}

/** Values that a result has for a row of that many classes. */
export function valuesOf(name: ReferenceName, classes: number): number {
  if (name === "packed") return (classes * (classes + 1)) / 2;
  const { shape } = EMITS[name];
  return { scalar: 1, vector: classes, block: classes * classes }[shape];
}

/** @throws UsageError */
function isUsable(
  name: ReferenceName,
  classes: number,
  input: ArrayLike<number>,
): boolean {
  const option =
    name === "packed" ? undefined : (EMITS[name] as EmitSpec).input;
  if (option === undefined) return true;
  const lengths = valuesAllowed(option, classes);
  if (!lengths.includes(input.length))
    throw new UsageError(
      `${option}: expected ${lengths.join(" or ")} values for ${name} of ${classes} classes, found ${input.length}`,
      option,
    );
  return isUsableInput(option, classes, input);
}
