import {
  bufferBytes,
  buffersOf,
  offsetBytes,
  storedType,
} from "../../arrow/field.js";
import type { BatchMetadata } from "../arrow-metadata.js";
import type { ColumnSpan } from "../record-batches.js";

/** A buffer that a run may read. */
export interface NeededBuffer {
  /** Its index among the batch's. */
  place: number;
  column: string;
  /**
   * Bytes that the type and the number of values demand; null: the last of its `offsets` states them, or without offsets
   * (the data of views) only the buffer itself.
   */
  bytes: number | null;
  offsets: { place: number; width: number; count: number } | null;
}

/** Returns the buffers of a column and of all that is nested in it. */
export function neededBuffers(
  batch: BatchMetadata,
  span: ColumnSpan,
): NeededBuffer[] {
  const { field, node, parents, children } = span;
  const { length, nullCount } = batch.nodes[node] as BatchMetadata["nodes"][0];
  const type = storedType(field);
  const layouts = buffersOf(type);
  const width = offsetBytes(type);
  const count = length === 0 ? 0 : length + 1;
  const own = Array.from({ length: span.buffers }, (_, k): NeededBuffer => {
    const place = span.buffer + k;
    const layout = layouts[k];
    const isKnown = layout !== undefined && layout.bits > 0;
    return {
      place,
      column: field.name,
      bytes: isKnown ? bufferBytes(layout, { length, nullCount }) : null,
      offsets: layout && !isKnown ? { place: place - 1, width, count } : null,
    };
  });
  // Structs around a nested column have validity bitmaps.
  const outer = parents.map((parent) => ({ ...parent, children: [] }));
  const neededOf = (other: ColumnSpan) => neededBuffers(batch, other);
  return [...outer.flatMap(neededOf), ...own, ...children.flatMap(neededOf)];
}
