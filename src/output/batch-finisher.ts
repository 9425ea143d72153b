import { putBytes } from "../io/put-bytes.js";
import { validityBitmap } from "./jacobian-batch.js";
import { batchMetadata, type PlacedBatch } from "./jacobian-file.js";
import type { OutputTarget } from "./output-target.js";

/** Writes a record batch's metadata and validity bitmaps once all its tasks are done: null counts are known only then. */
export class BatchFinisher {
  readonly #open = new Map<number, { badRows: number[]; nulls: number[] }>();
  readonly #tasksLeft: number[];
  /** Whole batches after the first that is not, whose number is `next`. */
  readonly #whole = new Set<number>();
  #next = 0;

  constructor(
    private readonly output: OutputTarget,
    private readonly batches: readonly PlacedBatch[],
    tasksPerBatch: readonly number[],
    private readonly nullableResults: boolean,
  ) {
    this.#tasksLeft = [...tasksPerBatch];
  }

  /** `badRows`: rows of the batch, from 0. `nulls`: per kept column, from the one task that copies them. */
  taskDone(batch: number, badRows: number[], nulls: number[]): void {
    const known = this.#open.get(batch) ?? { badRows: [], nulls: [] };
    for (const row of badRows) known.badRows.push(row);
    known.nulls.push(...nulls);
    const left = (this.#tasksLeft[batch] ?? 0) - 1;
    this.#tasksLeft[batch] = left;
    if (left > 0) {
      this.#open.set(batch, known);
      return;
    }
    this.#open.delete(batch);
    this.#finish(this.batches[batch] as PlacedBatch, known);
    this.#whole.add(batch);
    for (; this.#whole.delete(this.#next); this.#next++) {
      const { bodyStart, bodyBytes } = this.batches[this.#next] as PlacedBatch;
      this.output.complete?.(bodyStart + bodyBytes);
    }
  }

  #finish(
    placed: PlacedBatch,
    { badRows, nulls }: { badRows: number[]; nulls: number[] },
  ): void {
    const { bodyStart, layout, shape } = placed;
    // Memory that is used again has other bytes where a file has zeros.
    if (this.output.ring)
      for (const { offset, length } of gaps(placed))
        putBytes(this.output, new Uint8Array(length), bodyStart + offset);
    if (this.nullableResults) {
      const bitmap = validityBitmap(shape.rows, badRows);
      for (const { validity } of layout.results)
        putBytes(this.output, bitmap, bodyStart + validity);
    }
    const { offset, bytes } = batchMetadata(placed, nulls, badRows.length);
    putBytes(this.output, bytes, offset);
  }
}

/** Yields the parts of a batch's body that no buffer has. */
function* gaps({
  layout,
  bodyBytes,
}: PlacedBatch): Generator<{ offset: number; length: number }> {
  const bodyEnd = { offset: bodyBytes, length: 0 };
  let end = 0;
  for (const { offset, length } of [...layout.buffers, bodyEnd]) {
    if (offset > end) yield { offset: end, length: offset - end };
    end = Math.max(end, offset + length);
  }
}
