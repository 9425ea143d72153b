/**
 * A random choice of so many of the items that pass, of equal chances whatever their number (Vitter's Algorithm R). An item
 * is made only where it is taken.
 */
export class Reservoir<Item> {
  readonly items: Item[] = [];
  /** Items that have passed. */
  seen = 0;
  readonly #size: number;
  readonly #draw: () => number;

  /** @param draw numbers in [0, 1) */
  constructor(size: number, draw: () => number) {
    this.#size = size;
    this.#draw = draw;
  }

  /** @param make gets the item whose place it takes, to be used again */
  offer(make: (before: Item | undefined) => Item): void {
    const place =
      this.seen < this.#size
        ? this.seen
        : Math.floor(this.#draw() * (this.seen + 1));
    this.seen++;
    if (place < this.#size) this.items[place] = make(this.items[place]);
  }
}
