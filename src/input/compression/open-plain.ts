import {
  type Field,
  fixedBits,
  offsetBytes,
  storedType,
} from "../../arrow/field.js";
import { type ArrowContainer, openArrow } from "../arrow-container.js";
import { checkUnwritten } from "../input-state.js";
import { interpreting } from "../interpreting.js";
import { decompressed } from "./decompressed.js";

const NESTED: readonly string[] = [
  "List",
  "LargeList",
  "ListView",
  "LargeListView",
  "FixedSizeList",
  "Struct",
  "Null",
];

/**
 * Opens an Arrow file or stream to read any of its columns: where bodies are compressed, all of a type that is read are
 * decoded first, into a file without a name.
 * @throws as openArrow, and InputFormatError, IoError where they cannot be decoded
 */
export function openPlainArrow(path: string): Promise<ArrowContainer> {
  return interpreting(path, "structure", () => open(path));
}

async function open(path: string): Promise<ArrowContainer> {
  const container = openArrow(path);
  let plain = container;
  try {
    const places = container.schema.fields.flatMap((field, k) =>
      isRead(field) ? [k] : [],
    );
    plain = await decompressed(container, places, {});
    // Decoded bytes are read from a copy, where later changes are not seen.
    checkUnwritten(container);
    return plain;
  } catch (error) {
    plain.close();
    throw error;
  }
}

function isRead(field: Field): boolean {
  const type = storedType(field);
  if (fixedBits(type) > 0 || offsetBytes(type) > 0)
    return (
      !field.dictionary ||
      fixedBits(field.type) > 0 ||
      offsetBytes(field.type) > 0
    );
  return NESTED.includes(type.kind) && field.children.every(isRead);
}
