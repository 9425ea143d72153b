/** What an error in a column of this type is measured in, and what a float64 result's bound becomes in it. */
export interface TypeOfErrors {
  epsilon: number;
  /** The smallest step. */
  smallest: number;
  /** In ε of the type. */
  bound: number;
}

/** @param promised in ε of float64; rounding to float32 adds half a last place */
export function typeOfErrors(
  type: "float32" | "float64" | "int32",
  promised: number,
): TypeOfErrors {
  if (type === "float32")
    return {
      epsilon: 2 ** -23,
      smallest: 2 ** -149,
      bound: 0.5 + promised * 2 ** -29 + 2 ** -20,
    };
  return { epsilon: 2 ** -52, smallest: 2 ** -1074, bound: promised };
}
