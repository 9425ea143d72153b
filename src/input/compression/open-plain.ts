import {
  type Field,
  fixedBits,
  offsetBytes,
  storedType,
} from "../../arrow/field.js";
import { openArrow } from "../arrow-container.js";
import { checkUnwritten } from "../input-state.js";
import { interpreting } from "../interpreting.js";
import type { ArrowContainer } from "../record-batches.js";
import { decompressBodies } from "./decompress-bodies.js";

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
 * Opens an Arrow file or stream to read any of its columns. Decompresses all columns of supported types to an anonymous file if
 * bodies are compressed.
 * @throws as openArrow and decompressBodies
 */
export function openPlainArrow(path: string): Promise<ArrowContainer> {
  return interpreting(path, "structure", async () => {
    const container = openArrow(path);
    let plain = container;
    try {
      const indices = [...container.schema.fields.keys()].filter((k) =>
        isRead(container.schema.fields[k] as Field),
      );
      plain = await decompressBodies(container, indices, {});
      // Checked now, because later changes of the file do not affect the decoded copy.
      checkUnwritten(container);
      return plain;
    } catch (error) {
      plain.close();
      throw error;
    }
  });
}

function isRead(field: Field): boolean {
  const hasValues = (type: Field["type"]) =>
    fixedBits(type) > 0 || offsetBytes(type) > 0;
  const type = storedType(field);
  if (hasValues(type)) return !field.dictionary || hasValues(field.type);
  return NESTED.includes(type.kind) && field.children.every(isRead);
}
