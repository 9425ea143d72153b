/** The number that 16 bits stand for in IEEE 754's binary16 (float16). */
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

/** `count` float16 at `from` as float64. */
export function widenFloat16(from: Uint16Array, out: Float64Array): void {
  float16Values ??= Float64Array.from({ length: 1 << 16 }, (_, bits) =>
    float16Value(bits),
  );
  const values = float16Values;
  for (let k = 0; k < from.length; k++)
    out[k] = values[from[k] as number] as number;
}

/** bfloat16, the upper half of a float32, as float64. */
export function widenBfloat16(from: Uint16Array, out: Float64Array): void {
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  for (let k = 0; k < from.length; k++) {
    bits[0] = (from[k] as number) << 16;
    out[k] = value[0] as number;
  }
}
