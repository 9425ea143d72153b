import { Damaged } from "./failure.js";

// A Snappy block (github.com/google/snappy, format_description.txt): the decoded length as a varint, then elements.
//
//   tag, lowest two bits 0: literal; length - 1 in the other six, or, from 60 on, in the next 1 to 4 bytes
//   1: copy; length - 4 in three bits, offset back in the other three and the next byte
//   2, 3: copy; length - 1 in six bits, offset back in the next 2 or 4 bytes

/** Decodes the first `needed` bytes of a block, or all where it has fewer. @throws Damaged */
export function decodeSnappyStart(
  block: Uint8Array,
  needed: number,
): Uint8Array {
  const out = new Uint8Array(needed);
  let at = 0;
  let end = 0;
  const uint = (bytes: number): number => {
    let value = 0;
    for (let k = 0; k < bytes; k++) {
      if (at >= block.length) throw truncated();
      value += (block[at++] as number) * 256 ** k;
    }
    return value;
  };
  while (uint(1) >= 128);
  while (at < block.length && end < needed) {
    const tag = uint(1);
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >>> 2;
      const length = 1 + (short < 60 ? short : uint(short - 59));
      if (at + length > block.length) throw truncated();
      const taken = Math.min(length, needed - end);
      out.set(block.subarray(at, at + taken), end);
      at += length;
      end += taken;
      continue;
    }
    const length = kind === 1 ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2);
    const back =
      kind === 1 ? ((tag >>> 5) << 8) + uint(1) : uint(kind === 2 ? 2 : 4);
    if (back === 0 || back > end)
      throw new Damaged(
        `expected a copy offset of 1 to ${end} in a Snappy block, found ${back}`,
      );
    // A copy may include bytes that it has just written.
    for (let k = Math.min(length, needed - end); k > 0; k--, end++)
      out[end] = out[end - back] as number;
  }
  return out.subarray(0, end);
}

function truncated(): Damaged {
  return new Damaged("the Snappy block is truncated");
}
