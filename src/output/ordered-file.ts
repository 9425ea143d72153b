import { writeFully } from "../io/positional.js";
import type { JacobianBatchShape } from "./jacobian-batch.js";
import {
  batchMetadata,
  frame,
  type JacobianFileHead,
  type JacobianFileHeadSpec,
  layoutEnd,
  layoutHead,
  type PlacedBatch,
  placeBatch,
} from "./jacobian-file.js";

/** An output whose record batches are placed one after the other, each when it is known how large it is. */
export class OrderedFile {
  readonly head: JacobianFileHead;
  readonly #batches: PlacedBatch[] = [];
  #end: number;

  constructor(
    readonly fd: number,
    private readonly spec: JacobianFileHeadSpec,
  ) {
    this.head = layoutHead(spec);
    this.#end = this.head.end;
  }

  /** The place of the next record batch. */
  place(shape: JacobianBatchShape): PlacedBatch {
    const batch = placeBatch(shape, this.#end);
    this.#batches.push(batch);
    this.#end = batch.bodyStart + batch.bodyBytes;
    return batch;
  }

  get batches(): number {
    return this.#batches.length;
  }

  /** Writes a batch's metadata, once its nulls are known. */
  finishBatch(batch: PlacedBatch, keptNulls: number[], badRows: number): void {
    const { offset, bytes } = batchMetadata(batch, keptNulls, badRows);
    writeFully(this.fd, bytes, offset);
  }

  /** Writes what stands before and behind the batches. Returns the file's bytes. */
  finish(): number {
    const layout = layoutEnd(this.spec, this.head, this.#batches);
    for (const { offset, bytes } of frame(layout))
      writeFully(this.fd, bytes, offset);
    return layout.bytes;
  }
}
