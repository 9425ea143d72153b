import type { Field } from "../arrow/field.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";

/**
 * The shape that a column says it has as `arrow.fixed_shape_tensor`; null where it is no tensor.
 * @throws InputFormatError for a shape that cannot be; InputUnsupportedError for dimensions in another order
 */
export function tensorShape(
  path: string,
  field: Field | undefined,
): readonly number[] | null {
  const { name, metadata } = field ?? { name: "", metadata: [] };
  const said = new Map(metadata);
  if (said.get("ARROW:extension:name") !== "arrow.fixed_shape_tensor")
    return null;
  const text = said.get("ARROW:extension:metadata") ?? "";
  const { shape, permutation } = parsed(text);
  if (!isNumbers(shape))
    throw new InputFormatError(
      path,
      `column ${name}`,
      `expected the shape of a tensor in ARROW:extension:metadata, found ${JSON.stringify(text)}`,
    );
  if (isNumbers(permutation) && permutation.some((place, k) => place !== k))
    throw new InputUnsupportedError(
      path,
      `column ${name}`,
      `permuted tensors are not supported: the permutation is ${permutation.join(", ")}`,
    );
  return shape;
}

function parsed(text: string): { shape?: unknown; permutation?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

function isNumbers(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((n) => Number.isSafeInteger(n) && n >= 0)
  );
}
