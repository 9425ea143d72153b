import { UsageError } from "../errors.js";

export type FloatArray = Float64Array | Float32Array;
export type FloatType = "float32" | "float64";

/** `count` zeros. @throws UsageError where an array cannot be that long */
export function newFloats(type: FloatType, count: number): FloatArray {
  try {
    return type === "float32"
      ? new Float32Array(count)
      : new Float64Array(count);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(
      `memory: ${count} values of ${type} do not fit in memory`,
    );
  }
}
