// Philox4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11: four words of 32
// random bits as a function of a counter (128 bits) and a key (64 bits). Nothing is carried from draw to draw, so what a
// row holds depends on the seed and the row's number alone. Whole-number arithmetic only: the same on every machine.

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57] as const;
const WEYL = [0x9e3779b9, 0xbb67ae85] as const;
const ROUNDS = 10;

/** Four words of `counter` become the four random ones; `key` has two. */
export function philox(counter: Uint32Array, key0: number, key1: number): void {
  let a = counter[0] as number;
  let b = counter[1] as number;
  let c = counter[2] as number;
  let d = counter[3] as number;
  let k0 = key0 | 0;
  let k1 = key1 | 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = highProduct(MULTIPLIERS[0], a);
    const high1 = highProduct(MULTIPLIERS[1], c);
    const low0 = Math.imul(MULTIPLIERS[0], a);
    const low1 = Math.imul(MULTIPLIERS[1], c);
    a = (high1 ^ b ^ k0) >>> 0;
    b = low1 >>> 0;
    c = (high0 ^ d ^ k1) >>> 0;
    d = low0 >>> 0;
    k0 = (k0 + WEYL[0]) | 0;
    k1 = (k1 + WEYL[1]) | 0;
  }
  counter[0] = a;
  counter[1] = b;
  counter[2] = c;
  counter[3] = d;
}

/** The upper 32 of the 64 bits of a product of two words; every step is exact in a double. */
function highProduct(x: number, y: number): number {
  const low = x * (y & 0xffff);
  const high = x * (y >>> 16) + Math.floor(low / 65536);
  return Math.floor(high / 65536);
}
