import type { Copy, EntriesPart, EntriesTask } from "../pool/protocol.js";

/** A slot that a task has filled, and the memory that it stands in. */
export interface FilledSlot {
  buffer: ArrayBufferLike;
  /** Where the slot starts. */
  base: number;
  task: Pick<EntriesTask, "rowStart" | "rowEnd">;
  part: EntriesPart;
  badRows: number[];
}

/** A record batch that is on its way to the disk. */
export interface Written {
  /** Fulfilled when its memory may be changed. */
  released: Promise<void>;
}

/** Makes record batches of what tasks leave in their slots, one after the other in row order. */
export interface EntriesSink {
  /**
   * Takes a slot over. What is returned must be copied before anything else happens in the slot; then `copied` is to be
   * called with it.
   */
  append(slot: FilledSlot): Promise<Copy[]>;
  copied(copies: readonly Copy[]): void;
  /** Writes the last batch, and waits until all are written. */
  finish(): Promise<void>;
  /** Waits for what is being written, whatever becomes of it; writes nothing more. */
  settled(): Promise<void>;
}
