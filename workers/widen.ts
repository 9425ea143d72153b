import { BIG_ARRAYS, widenNumbers } from "../src/arrow/stored-numbers.js";
import type { Kernel } from "../src/numeric/kernel.js";
import type { SourceSetup, WorkerSetup } from "../src/pool/protocol.js";
import type { SourcePlace } from "../src/slots/slot-layout.js";
import { TaskFailure } from "./task-failure.js";

/**
 * Makes the numbers of `rows` rows at `raw` float64. A logit that float64 cannot hold is refused; beyond 2^53 other whole
 * numbers lose digits: no class has such a number.
 */
export function widen(
  { buffer }: WorkerSetup,
  kernel: Kernel,
  { name, type, values: perRow, holds }: SourceSetup,
  rowStart: number,
  rows: number,
  { raw, values }: SourcePlace,
): void {
  const count = rows * perRow;
  if (type === "float32") {
    kernel.widen(raw, count, values);
    return;
  }
  if (type === "float64") return;
  const out = new Float64Array(buffer, values, count);
  widenNumbers(buffer, raw, type, out);
  if (holds !== "logits" || (type !== "int64" && type !== "uint64")) return;
  const numbers = new BIG_ARRAYS[type](buffer, raw, count);
  for (let k = 0; k < count; k++)
    if (BigInt(out[k] as number) !== numbers[k]) {
      const row = rowStart + Math.floor(k / perRow);
      throw new TaskFailure({
        kind: "refused-value",
        row,
        where: `column ${name}, row ${row}, class ${k % perRow}`,
        text: `expected a whole number that float64 holds exactly, found ${numbers[k]}`,
      });
    }
}
