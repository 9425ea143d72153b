import { Damaged } from "./bytes.js";

// An LZ4 block (github.com/lz4/lz4, doc/lz4_Block_format.md) consists of sequences:
//
//   token: number of literals (4 bits), match length - 4 (4 bits); 15 continues in bytes up to one that is not 255
//   more bytes of the number; literals
//   except in the last sequence: distance back (uint16), more bytes of the match length

const MIN_MATCH = 4;

/**
 * Decodes a block into `out` from `start` on; matches may reach back to the beginning of `out`. Returns the end.
 * @throws Damaged
 */
export function decodeBlock(
  block: Uint8Array,
  out: Uint8Array,
  start: number,
): number {
  let at = 0;
  let end = start;
  const extended = (length: number): number => {
    let total = length;
    if (length < 15) return total;
    for (let byte = 255; byte === 255; total += byte) {
      if (at >= block.length) throw truncated();
      byte = block[at++] as number;
    }
    return total;
  };
  for (;;) {
    if (at >= block.length) throw truncated();
    const token = block[at++] as number;
    const literals = extended(token >> 4);
    if (at + literals > block.length) throw truncated();
    if (end + literals > out.length) throw long(out.length - start);
    // Floating-point numbers rarely match: most of a block is literals.
    if (literals > 32) out.set(block.subarray(at, at + literals), end);
    else
      for (let k = 0; k < literals; k++) out[end + k] = block[at + k] as number;
    at += literals;
    end += literals;
    if (at === block.length) return end;
    if (at + 2 > block.length) throw truncated();
    const back = (block[at] as number) | ((block[at + 1] as number) << 8);
    at += 2;
    if (back === 0 || back > end)
      throw new Damaged(
        `expected a match offset of 1 to ${end} in an LZ4 block, found ${back}`,
      );
    const length = extended(token & 15) + MIN_MATCH;
    if (end + length > out.length) throw long(out.length - start);
    if (back >= length && length > 32)
      out.copyWithin(end, end - back, end - back + length);
    // A match may overlap the bytes that it writes.
    else
      for (let k = 0; k < length; k++)
        out[end + k] = out[end + k - back] as number;
    end += length;
  }
}

function truncated(): Damaged {
  return new Damaged("the LZ4 block is truncated");
}

function long(bytes: number): Damaged {
  return new Damaged(
    `expected an LZ4 block of at most ${bytes} decompressed bytes, found more`,
  );
}
