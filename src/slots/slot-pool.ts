/**
 * Slots by number. Each is owned by one task at a time; whoever finds none free waits for the next release, in turn.
 * The number of slots is what bounds the work in flight.
 */
export class SlotPool {
  readonly #free: number[];
  readonly #waiting: ((slot: number) => void)[] = [];

  constructor(readonly slots: number) {
    this.#free = Array.from({ length: slots }, (_, k) => k);
  }

  acquire(): Promise<number> {
    const slot = this.#free.shift();
    if (slot !== undefined) return Promise.resolve(slot);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  release(slot: number): void {
    const next = this.#waiting.shift();
    if (next) next(slot);
    else this.#free.push(slot);
  }

  /** Resolves when every slot is free again. */
  async drained(): Promise<void> {
    for (let k = 0; k < this.slots; k++) await this.acquire();
    for (let k = 0; k < this.slots; k++) this.release(k);
  }
}
