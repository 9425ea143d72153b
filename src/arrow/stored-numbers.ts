import { type NumberType, numberWidth } from "./field.js";

/** Returns the value of the bits of a float16 (IEEE 754 binary16). */
export function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return exponent === 0
    ? sign * fraction * 2 ** -24
    : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

let float16Values: Float64Array | null = null;

function widenFloat16(from: Uint16Array, out: Float64Array): void {
  float16Values ??= Float64Array.from({ length: 1 << 16 }, (_, bits) =>
    float16Value(bits),
  );
  const values = float16Values;
  for (let k = 0; k < from.length; k++)
    out[k] = values[from[k] as number] as number;
}

/** Converts bfloat16, the upper half of a float32. */
function widenBfloat16(from: Uint16Array, out: Float64Array): void {
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  for (let k = 0; k < from.length; k++) {
    bits[0] = (from[k] as number) << 16;
    out[k] = value[0] as number;
  }
}

const ARRAYS = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** Returns the numbers at byte `start` of a buffer, in a type that JavaScript has. */
export function numbersAt(
  buffer: ArrayBufferLike,
  start: number,
  type: keyof typeof ARRAYS,
  count: number,
) {
  return new ARRAYS[type](buffer as ArrayBuffer, start, count);
}

/** Converts the numbers at byte `start` of a buffer to float64; integers beyond 2^53 are rounded. */
export function widenNumbers(
  buffer: ArrayBufferLike,
  start: number,
  type: NumberType,
  out: Float64Array,
): void {
  const count = out.length;
  if (type === "float16" || type === "bfloat16") {
    const widen = type === "float16" ? widenFloat16 : widenBfloat16;
    widen(new Uint16Array(buffer, start, count), out);
    return;
  }
  const numbers = numbersAt(buffer, start, type, count);
  if (type === "int64" || type === "uint64")
    for (let k = 0; k < count; k++) out[k] = Number(numbers[k]);
  else out.set(numbers as Int8Array);
}

/** Returns the numbers of a buffer: float32 and float64 unchanged, others as float64 (rounded beyond 2^53). */
export function numbersOfBytes(
  buffer: ArrayBuffer,
  type: NumberType,
): Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  if (type === "float32") return new Float32Array(buffer);
  if (type === "float64") return new Float64Array(buffer);
  const out = new Float64Array(buffer.byteLength / numberWidth(type));
  widenNumbers(buffer, 0, type, out);
  return out;
}
