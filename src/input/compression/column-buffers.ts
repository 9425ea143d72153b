import {
  bufferBytes,
  buffersOf,
  offsetBytes,
  storedType,
} from "../../arrow/field.js";
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

/** The buffers of a column and all that is nested in it, with what each must hold. */
export function neededBuffers(
  batch: BatchMetadata,
  span: ColumnSpan,
): NeededBuffer[] {
  const { field, node, buffer, children } = span;
  const { length, nullCount } = batch.nodes[node] as BatchMetadata["nodes"][0];
  const type = storedType(field);
  const width = offsetBytes(type);
  const stored = buffersOf(type).map((layout, k): NeededBuffer => {
    const place = buffer + k;
    const bytes = bufferBytes(layout, { length, nullCount });
    if (layout.bits > 0)
      return { place, column: field.name, bytes, offsets: null };
    const count = length === 0 ? 0 : length + 1;
    const offsets = { place: place - 1, width: width as 4 | 8, count };
    return { place, column: field.name, bytes: null, offsets };
  });
  const viewed = Array.from(
    { length: span.buffers - stored.length },
    (_, k) => ({
      place: buffer + stored.length + k,
      column: field.name,
      bytes: null,
      offsets: null,
    }),
  );
  // Structs around a nested column have validity bitmaps.
  const outer = span.parents.flatMap((parent) =>
    neededBuffers(batch, { ...parent, children: [] }),
  );
  return [
    ...outer,
    ...stored,
    ...viewed,
    ...children.flatMap((child) => neededBuffers(batch, child)),
  ];
}
