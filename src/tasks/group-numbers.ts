type Node = Map<number, Node | number>;

/** Numbers groups of rows by their keys, in order of appearance. */
export class GroupNumbers {
  readonly keys: number[][] = [];
  readonly #root: Node = new Map();

  get size(): number {
    return this.keys.length;
  }

  /** Returns the number of the group with these keys (NaN: null); a new one if there is none. */
  indexOf(keys: ArrayLike<number>): number {
    let node = this.#root;
    const last = keys.length - 1;
    for (let k = 0; k < last; k++) {
      const key = keys[k] as number;
      let next = node.get(key) as Node | undefined;
      if (!next) {
        next = new Map();
        node.set(key, next);
      }
      node = next;
    }
    const key = keys[last] ?? 0;
    const known = node.get(key) as number | undefined;
    if (known !== undefined) return known;
    node.set(key, this.keys.length);
    return this.keys.push(Array.from(keys)) - 1;
  }
}
