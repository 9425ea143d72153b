/** The places of a random choice of so many of what passes, of equal chances whatever its number (Vitter's Algorithm R). */
export class ReservoirPlaces {
  /** How many have passed. */
  seen = 0;
  readonly #size: number;
  readonly #draw: () => number;

  /** @param draw numbers in [0, 1) */
  constructor(size: number, draw: () => number) {
    this.#size = size;
    this.#draw = draw;
  }

  /** Of the next: the place that it takes, from whatever has it; -1: it is not chosen. */
  next(): number {
    const place =
      this.seen < this.#size
        ? this.seen
        : Math.floor(this.#draw() * (this.seen + 1));
    this.seen++;
    return place < this.#size ? place : -1;
  }
}

/** A random choice of items, which are made only where they are taken. */
export class Reservoir<Item> {
  readonly items: Item[] = [];
  readonly #places: ReservoirPlaces;

  constructor(size: number, draw: () => number) {
    this.#places = new ReservoirPlaces(size, draw);
  }

  offer(make: () => Item): void {
    const place = this.#places.next();
    if (place >= 0) this.items[place] = make();
  }
}
