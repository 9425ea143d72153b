import { widenBfloat16, widenFloat16 } from "../src/arrow/half-floats.js";
import type { Kernel } from "../src/numeric/kernel.js";
import type { SourceSetup, WorkerSetup } from "../src/pool/protocol.js";
import type { SourcePlace } from "../src/slots/slot-layout.js";
import { TaskFailure } from "./task-failure.js";

type View<T> = new (
  buffer: ArrayBufferLike,
  at: number,
  length: number,
) => ArrayLike<T>;
type Numbers = View<number>;
type BigNumbers = View<bigint>;

const WHOLE = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
} as const;

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
  const out = new Float64Array(buffer, values, count);
  switch (type) {
    case "float64":
      return;
    case "float16":
      widenFloat16(new Uint16Array(buffer, raw, count), out);
      return;
    case "bfloat16":
      widenBfloat16(new Uint16Array(buffer, raw, count), out);
      return;
    case "int64":
    case "uint64": {
      const Whole: BigNumbers =
        type === "int64" ? BigInt64Array : BigUint64Array;
      const numbers = new Whole(buffer, raw, count);
      for (let k = 0; k < count; k++) {
        const number = numbers[k] as bigint;
        out[k] = Number(number);
        if (holds === "logits" && BigInt(out[k] as number) !== number)
          throw new TaskFailure({
            kind: "refused-value",
            row: rowStart + Math.floor(k / perRow),
            where: `column ${name}, row ${rowStart + Math.floor(k / perRow)}, class ${k % perRow}`,
            text: `expected a whole number that float64 holds exactly, found ${number}`,
          });
      }
      return;
    }
    default:
      out.set(new (WHOLE[type] as Numbers)(buffer, raw, count));
  }
}
