const bits = new Float64Array(1);
const words = new Int32Array(bits.buffer);

/** Numbers groups of rows by their keys, in order of appearance. */
export class GroupNumbers {
  #size = 0;
  #width = 0;
  #keys = new Float64Array(0);
  /** Hash table with open addressing: number + 1 of a group; 0: free. */
  #table = new Int32Array(64);

  get size(): number {
    return this.#size;
  }

  /** Keys of all groups, one group after another. */
  get keys(): Float64Array {
    return this.#keys.slice(0, this.#size * this.#width);
  }

  /** Returns the keys of a group. */
  keysOf(group: number): number[] {
    const start = group * this.#width;
    return Array.from(this.#keys.subarray(start, start + this.#width));
  }

  /** Returns the number of the group with these keys (NaN: null), of which all groups have as many; a new one if there is none. */
  indexOf(keys: Float64Array): number {
    const mask = this.#table.length - 1;
    let slot = hashOf(keys) & mask;
    for (;;) {
      const group = (this.#table[slot] as number) - 1;
      if (group < 0) break;
      if (this.#isEqual(group, keys)) return group;
      slot = (slot + 1) & mask;
    }
    this.#table[slot] = this.#size + 1;
    this.#append(keys);
    return this.#size - 1;
  }

  #isEqual(group: number, keys: Float64Array): boolean {
    const start = group * keys.length;
    for (let k = 0; k < keys.length; k++) {
      const own = this.#keys[start + k] as number;
      const key = keys[k] as number;
      // Two NaNs are equal: both are nulls.
      if (own !== key && (own === own || key === key)) return false;
    }
    return true;
  }

  #append(keys: Float64Array): void {
    this.#width = keys.length;
    const start = this.#size * keys.length;
    if (start + keys.length > this.#keys.length) {
      const known = this.#keys;
      this.#keys = new Float64Array(2 * (start + keys.length));
      this.#keys.set(known);
    }
    this.#keys.set(keys, start);
    this.#size++;
    // At most half of the table is in use.
    if (2 * this.#size <= this.#table.length) return;
    this.#table = new Int32Array(2 * this.#table.length);
    const mask = this.#table.length - 1;
    for (let group = 0; group < this.#size; group++) {
      const start = group * this.#width;
      const own = this.#keys.subarray(start, start + this.#width);
      let slot = hashOf(own) & mask;
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
      this.#table[slot] = group + 1;
    }
  }
}

/** Returns a hash of numbers: the same one for all NaNs, and for 0 and -0. */
function hashOf(keys: Float64Array): number {
  let hash = 0;
  for (let k = 0; k < keys.length; k++) {
    const key = keys[k] as number;
    bits[0] = key === key ? key + 0 : 0;
    hash = Math.imul(hash ^ (words[0] as number), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (words[1] as number), 0xc2b2ae35);
    hash ^= hash >>> 13;
  }
  return hash;
}
