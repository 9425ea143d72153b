import { fixedBits, offsetBytes, storedType } from "../../arrow/field.js";
import { VIEW_BYTES } from "../../arrow/views.js";
import { InputUnsupportedError } from "../../errors.js";
import type { BatchMetadata } from "../arrow-metadata.js";
import type { ColumnSpan } from "../column-spans.js";

/** A buffer that a run may read. */
export interface NeededBuffer {
  /** Its place among the batch's. */
  place: number;
  column: string;
  /**
   * Bytes that the type and the number of values demand; null: its offsets tell, which are the buffer `offsets`, or
   * where there are none, it alone (what views show).
   */
  bytes: number | null;
  offsets: { place: number; width: 4 | 8; count: number } | null;
}

/** The buffers of a column and all that is nested in it, with what each must hold. @throws InputUnsupportedError */
export function neededBuffers(
  path: string,
  batch: BatchMetadata,
  span: ColumnSpan,
): NeededBuffer[] {
  const { field, node, buffer, children } = span;
  const { length, nullCount } = batch.nodes[node] as BatchMetadata["nodes"][0];
  const exactly = (k: number, bytes: number): NeededBuffer => ({
    place: buffer + k,
    column: field.name,
    bytes,
    offsets: null,
  });
  const own = [exactly(0, nullCount > 0 ? Math.ceil(length / 8) : 0)];
  const type = storedType(field);
  const bits = fixedBits(type);
  const width = offsetBytes(type);
  const offsets = length === 0 ? 0 : length + 1;
  if (bits > 0) own.push(exactly(1, Math.ceil((length * bits) / 8)));
  else if (width > 0)
    own.push(exactly(1, width * offsets), {
      place: buffer + 2,
      column: field.name,
      bytes: null,
      offsets: { place: buffer + 1, width: width as 4 | 8, count: offsets },
    });
  else
    switch (type.kind) {
      case "List":
        own.push(exactly(1, 4 * offsets));
        break;
      case "LargeList":
        own.push(exactly(1, 8 * offsets));
        break;
      case "ListView":
        own.push(exactly(1, 4 * length), exactly(2, 4 * length));
        break;
      case "LargeListView":
        own.push(exactly(1, 8 * length), exactly(2, 8 * length));
        break;
      case "Utf8View":
      case "BinaryView":
        own.push(exactly(1, VIEW_BYTES * length));
        for (let k = 2; k < span.buffers; k++)
          own.push({
            place: buffer + k,
            column: field.name,
            bytes: null,
            offsets: null,
          });
        break;
      case "FixedSizeList":
      case "Struct":
        break;
      case "Null":
      case "RunEndEncoded":
        own.pop();
        break;
      default:
        throw new InputUnsupportedError(
          path,
          `column ${field.name}`,
          `type ${type.kind} is not supported`,
        );
    }
  // Structs around a nested column have validity bitmaps.
  const outer = span.parents.flatMap((parent) =>
    neededBuffers(path, batch, { ...parent, children: [] }),
  );
  return [
    ...outer,
    ...own,
    ...children.flatMap((child) => neededBuffers(path, batch, child)),
  ];
}
