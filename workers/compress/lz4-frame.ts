import { compress } from "lz4-wasm-nodejs";

// An LZ4 frame of blocks that do not refer to each other (github.com/lz4/lz4, doc/lz4_Frame_format.md):
//
//   04 22 4D 18 | flags | block size | header checksum
//   blocks: size (highest bit: stored as is) | data | … | 0

/** Version 1, blocks independent, no checksums, blocks of at most 4 MiB. */
const HEADER = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73);
const BLOCK_BYTES = 4 << 20;
const STORED = 0x80000000;
/** In front of its blocks the library puts their length before. */
const LIBRARY_PREFIX = 4;

/** One frame, or null where it would be no smaller. */
export function compressLz4(bytes: Uint8Array): Uint8Array[] | null {
  const pieces: Uint8Array[] = [HEADER];
  let total = HEADER.byteLength + 4;
  for (let start = 0; start < bytes.byteLength; start += BLOCK_BYTES) {
    const plain = bytes.subarray(start, start + BLOCK_BYTES);
    const block = compress(plain).subarray(LIBRARY_PREFIX);
    const stored = block.byteLength >= plain.byteLength;
    const data = stored ? plain : block;
    pieces.push(uint32(data.byteLength + (stored ? STORED : 0)), data);
    total += 4 + data.byteLength;
  }
  pieces.push(uint32(0));
  return total < bytes.byteLength ? pieces : null;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
