import type { NumberType } from "../arrow/field.js";
import { widenBfloat16, widenFloat16 } from "../arrow/half-floats.js";

/** Numbers as stored at the start of a buffer of their own: floats as they are, whole ones (rounded beyond 2^53) as float64. */
export function numbersOfBytes(
  buffer: ArrayBuffer,
  type: NumberType,
): Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  switch (type) {
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    case "float16":
    case "bfloat16": {
      const bits = new Uint16Array(buffer);
      const values = new Float64Array(bits.length);
      (type === "float16" ? widenFloat16 : widenBfloat16)(bits, values);
      return values;
    }
    case "int64":
      return Float64Array.from(new BigInt64Array(buffer), Number);
    case "uint64":
      return Float64Array.from(new BigUint64Array(buffer), Number);
    default:
      return new Float64Array(new WHOLE[type](buffer));
  }
}

const WHOLE = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
} as const;
