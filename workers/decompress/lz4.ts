import { type CompressedBytes, Damaged, type DecodedBytes } from "./bytes.js";

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

// An LZ4 frame (github.com/lz4/lz4, doc/lz4_Frame_format.md):
//
//   04 22 4D 18 | flags | block size | [content size: 8] | [dictionary: 4] | header checksum
//   blocks: size (highest bit: stored uncompressed) | data | [checksum: 4] | … | 0 | [content checksum: 4]

const MAGIC = 0x184d2204;
/** Maximum distance of a match into previous blocks. */
const HISTORY_BYTES = 64 << 10;
/** Decoded bytes that are written at once. */
const STEP_BYTES = 1 << 20;

/** Decodes one frame. @throws Damaged */
export function decodeLz4(source: CompressedBytes, target: DecodedBytes): void {
  const { blockBytes, linked, blockChecksums, contentChecksum, contentBytes } =
    readHeader(source);
  const out = new Uint8Array(
    HISTORY_BYTES + Math.max(STEP_BYTES, blockBytes) + blockBytes,
  );
  const hash = contentChecksum ? new Xxh32() : null;
  let total = 0;
  // Bytes [from, end) of `out` are not written yet; blocks may refer to the bytes before them.
  let from = 0;
  let end = 0;
  const flush = () => {
    const decoded = out.subarray(from, end);
    hash?.add(decoded);
    target.add(decoded);
    const history = linked ? Math.min(HISTORY_BYTES, end) : 0;
    out.copyWithin(0, end - history, end);
    from = end = history;
  };
  for (;;) {
    const size = source.uint32("an LZ4 block's size");
    if (size === 0) break;
    const bytes = size & 0x7fffffff;
    if (bytes > blockBytes)
      throw new Damaged(
        `expected an LZ4 block of at most ${blockBytes} bytes, found ${bytes}`,
      );
    const block = source.take(bytes, "an LZ4 block");
    const start = end;
    if (size >>> 31) {
      out.set(block, end);
      end += bytes;
    } else {
      const base = linked ? 0 : end;
      const window = out.subarray(base, end + blockBytes);
      end = base + decodeBlock(block, window, end - base);
    }
    total += end - start;
    if (blockChecksums) {
      const expected = new Xxh32().add(block).value;
      check("an LZ4 block", expected, source.uint32("an LZ4 block's checksum"));
    }
    if (end - from >= STEP_BYTES) flush();
  }
  flush();
  if (hash)
    check("an LZ4 frame", hash.value, source.uint32("an LZ4 frame's checksum"));
  if (contentBytes !== null && contentBytes !== total)
    throw new Damaged(
      `expected ${contentBytes} bytes as declared in the LZ4 frame, found ${total}`,
    );
}

function readHeader(source: CompressedBytes) {
  const magic = source.uint32("an LZ4 frame's header");
  if (magic !== MAGIC)
    throw new Damaged(
      `expected the magic number 184d2204 of an LZ4 frame, found ${magic.toString(16).padStart(8, "0")}`,
    );
  const header = [...source.take(2, "an LZ4 frame's header")];
  const [flags = 0, sizes = 0] = header;
  const sizeCode = (sizes >> 4) & 7;
  if (
    flags >> 6 !== 1 ||
    (flags & 2) !== 0 ||
    (sizes & 0x8f) !== 0 ||
    sizeCode < 4
  )
    throw new Damaged(
      `expected an LZ4 frame of version 1, found a header with flags ${flags} and block descriptor ${sizes}`,
    );
  if (flags & 1)
    throw new Damaged("LZ4 frames that need a dictionary are not supported");
  let contentBytes: number | null = null;
  if (flags & 8) {
    const size = source.take(8, "an LZ4 frame's content size").slice();
    header.push(...size);
    contentBytes = Number(new DataView(size.buffer).getBigUint64(0, true));
  }
  const expected = (new Xxh32().add(Uint8Array.from(header)).value >> 8) & 255;
  const [found = 0] = source.take(1, "an LZ4 frame's header");
  check("an LZ4 frame's header", expected, found);
  return {
    blockBytes: 1 << (8 + 2 * sizeCode),
    linked: (flags & 32) === 0,
    blockChecksums: (flags & 16) !== 0,
    contentChecksum: (flags & 4) !== 0,
    contentBytes,
  };
}

function check(what: string, expected: number, found: number): void {
  if (expected !== found)
    throw new Damaged(
      `expected checksum ${expected} of ${what}, found ${found}`,
    );
}

// xxHash with 32 bits (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), the checksum of LZ4 frames.

const PRIME_1 = 0x9e3779b1;
const PRIME_2 = 0x85ebca77;
const PRIME_3 = 0xc2b2ae3d;
const PRIME_4 = 0x27d4eb2f;
const PRIME_5 = 0x165667b1;

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function round(accumulator: number, lane: number): number {
  return Math.imul(
    rotate((accumulator + Math.imul(lane, PRIME_2)) | 0, 13),
    PRIME_1,
  );
}

/** Incremental hash with seed 0. */
export class Xxh32 {
  readonly #lanes = Int32Array.of(PRIME_1 + PRIME_2, PRIME_2, 0, -PRIME_1);
  readonly #rest = new Uint8Array(16);
  #restBytes = 0;
  #length = 0;

  add(bytes: Uint8Array): this {
    this.#length += bytes.byteLength;
    let at = 0;
    if (this.#restBytes > 0) {
      at = Math.min(16 - this.#restBytes, bytes.byteLength);
      this.#rest.set(bytes.subarray(0, at), this.#restBytes);
      this.#restBytes += at;
      if (this.#restBytes < 16) return this;
      this.#stripe(this.#rest, 0);
      this.#restBytes = 0;
    }
    for (; at + 16 <= bytes.byteLength; at += 16) this.#stripe(bytes, at);
    this.#rest.set(bytes.subarray(at));
    this.#restBytes = bytes.byteLength - at;
    return this;
  }

  get value(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#lanes;
    let hash =
      this.#length >= 16
        ? (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
        : PRIME_5 | 0;
    hash = (hash + this.#length) | 0;
    let at = 0;
    for (; at + 4 <= this.#restBytes; at += 4)
      hash = Math.imul(
        rotate((hash + Math.imul(word(this.#rest, at), PRIME_3)) | 0, 17),
        PRIME_4,
      );
    for (; at < this.#restBytes; at++)
      hash = Math.imul(
        rotate((hash + Math.imul(this.#rest[at] as number, PRIME_5)) | 0, 11),
        PRIME_1,
      );
    hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
    hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #stripe(bytes: Uint8Array, at: number): void {
    for (let k = 0; k < 4; k++)
      this.#lanes[k] = round(this.#lanes[k] as number, word(bytes, at + 4 * k));
  }
}
