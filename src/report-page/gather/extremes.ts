/** The so many items of the least keys, least first; of equal keys those that came first. */
export class Extremes<Item> {
  readonly #most: number;
  readonly #found: { key: number; item: Item }[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  get items(): Item[] {
    return this.#found.map(({ item }) => item);
  }

  /** `make` is called only where the item is among them. */
  offer(key: number, make: () => Item): void {
    const last = this.#found.at(-1);
    if (this.#found.length >= this.#most && !(last && key < last.key)) return;
    const after = this.#found.findIndex((other) => other.key > key);
    const at = after < 0 ? this.#found.length : after;
    this.#found.splice(at, 0, { key, item: make() });
    if (this.#found.length > this.#most) this.#found.pop();
  }
}
