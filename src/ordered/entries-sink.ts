import type { EntriesPart, EntriesTask } from "../pool/protocol.js";

/** A slot that a task has filled, and the memory that it stands in. */
export interface FilledSlot {
  buffer: ArrayBufferLike;
  /** Where the slot starts. */
  base: number;
  task: Pick<EntriesTask, "rowStart" | "rowEnd">;
  part: EntriesPart;
  badRows: number[];
}

/** Makes record batches of what tasks leave in their slots, one after the other in row order. */
export interface EntriesSink {
  /** Takes a slot over: once fulfilled, that may be used again. */
  append(slot: FilledSlot): Promise<void>;
  /** Writes the last batch, and waits until all are written. */
  finish(): Promise<void>;
  /** Waits for what is being written, whatever becomes of it. */
  settled(): Promise<void>;
}
