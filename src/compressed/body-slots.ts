/** Memory for one record batch: its body, and what is made of it. */
export interface BodySlot {
  source: SharedArrayBuffer;
  target: SharedArrayBuffer;
}

/** Memory that is used again: record batches are mostly of one size. */
export class BodySlots {
  readonly #free: (BodySlot | null)[];

  constructor(count: number) {
    this.#free = new Array(count).fill(null);
  }

  get free(): number {
    return this.#free.length;
  }

  /** A free slot, of which there must be one, with room for so many bytes. */
  take(sourceBytes: number, targetBytes: number): BodySlot {
    const known = this.#free.pop();
    return {
      source: withRoom(known?.source, sourceBytes),
      target: withRoom(known?.target, targetBytes),
    };
  }

  give(slot: BodySlot): void {
    this.#free.push(slot);
  }
}

function withRoom(
  memory: SharedArrayBuffer | undefined,
  bytes: number,
): SharedArrayBuffer {
  return memory && memory.byteLength >= bytes
    ? memory
    : new SharedArrayBuffer(bytes);
}
