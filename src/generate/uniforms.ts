import { philox } from "./philox.js";

/** What a row's draws are for: streams of one row do not overlap. */
export const STREAM = { logits: 0, peak: 1, label: 2 } as const;

const words = new Uint32Array(4);

/**
 * Fills `out` with draws from (0, 1), uniform on the odd multiples of 2^-53: 0.5 is not hit, nor 0 nor 1, and 1 - u is
 * exact. Draws 2j and 2j + 1 are the words of Philox at counter (j, row mod 2^32, row div 2^32, stream), key the seed.
 */
export function storeUniforms(
  out: Float64Array,
  seed: number,
  row: number,
  stream: number,
): void {
  const seedHigh = Math.floor(seed / 2 ** 32);
  const rowHigh = Math.floor(row / 2 ** 32);
  for (let k = 0; k < out.length; k += 2) {
    words[0] = k / 2;
    words[1] = row;
    words[2] = rowHigh;
    words[3] = stream;
    philox(words, seed, seedHigh);
    out[k] = uniform(words[0] as number, words[1] as number);
    if (k + 1 < out.length)
      out[k + 1] = uniform(words[2] as number, words[3] as number);
  }
}

/** (n + 1/2)·2^-52, n the 52 upper bits of the two words. */
function uniform(high: number, low: number): number {
  const n = (high >>> 12) * 2 ** 32 + low;
  return (n + 0.5) * 2 ** -52;
}
