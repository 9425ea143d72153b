import { brotliDecompressSync, gunzipSync, constants as zlib } from "node:zlib";
import { Damaged } from "./decompress/bytes.js";
import { decodeBlock } from "./decompress/lz4.js";
import { loadZstd } from "./decompress/zstd-frame.js";

/** Bytes of a page that are decoded first: enough for the levels of most pages. */
const START_BYTES = 64 << 10;
/** First number of compressed bytes given to a decoder that always decodes all of its input. */
const STEP_BYTES = 16 << 10;

/** Returns at least the first `needed` of the `bytes` decoded bytes of a page. */
type Decode = (page: Uint8Array, needed: number, bytes: number) => Uint8Array;

/** Loaded before it is needed. */
let zstd: Awaited<ReturnType<typeof loadZstd>>;

const DECODERS: { [codec: string]: Decode } = {
  uncompressed: (page) => page,
  SNAPPY: decodeSnappyStart,
  GZIP: inSteps((part) => gunzipSync(part, { finishFlush: zlib.Z_SYNC_FLUSH })),
  BROTLI: inSteps((part) =>
    brotliDecompressSync(part, { finishFlush: zlib.BROTLI_OPERATION_FLUSH }),
  ),
  ZSTD: (page, _, bytes) => zstd.decompress(page, bytes),
  LZ4_RAW: decodeLz4,
  LZ4: (page, needed, bytes) =>
    decodeHadoopLz4(page, needed) ?? decodeLz4(page, needed, bytes),
};

/** Loads the decoder of a codec. Returns false for an unknown codec, which the Parquet decoder rejects. */
export async function loadCodec(codec: string): Promise<boolean> {
  if (codec === "ZSTD") zstd = await loadZstd();
  return codec in DECODERS;
}

/**
 * Returns a function that decodes at least the first `needed` of the `bytes` decoded bytes of a page, and few more: levels
 * come first and are a small part of most pages. The function throws Damaged.
 */
export function pageStart(
  codec: string,
  page: Uint8Array,
  bytes: number,
): (needed: number) => Uint8Array {
  const decode = DECODERS[codec] as Decode;
  let start: Uint8Array = new Uint8Array(0);
  return (needed) => {
    if (needed > bytes)
      throw new Damaged(
        `expected at most ${bytes} bytes of levels, the size of the page, found ${needed}`,
      );
    if (start.length < needed)
      try {
        start = decode(
          page,
          Math.min(bytes, Math.max(needed, START_BYTES)),
          bytes,
        );
      } catch {
        // The error below is as precise as the decoder's.
      }
    if (start.length < needed)
      throw new Damaged(`the ${codec} data is damaged`);
    return start;
  };
}

function inSteps(decode: (part: Uint8Array) => Uint8Array): Decode {
  return (page, needed) => {
    for (let given = STEP_BYTES; ; given *= 4) {
      const decoded = decode(page.subarray(0, given));
      if (decoded.length >= needed || given >= page.length) return decoded;
    }
  };
}

function decodeLz4(page: Uint8Array, _: number, bytes: number): Uint8Array {
  // An LZ4 block decodes to at most 255 times its size.
  const out = new Uint8Array(Math.min(bytes, 255 * page.length));
  return out.subarray(0, decodeBlock(page, out, 0));
}

/** Decodes LZ4 in Hadoop's framing, (decoded bytes, bytes: uint32 big-endian, block)*. Returns null for other data. */
function decodeHadoopLz4(page: Uint8Array, needed: number): Uint8Array | null {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const blocks: Uint8Array[] = [];
  let decoded = 0;
  for (let at = 0; at + 8 <= page.length && decoded < needed; ) {
    const bytes = view.getUint32(at);
    const blockEnd = at + 8 + view.getUint32(at + 4);
    if (blockEnd > page.length || bytes > 255 * page.length) return null;
    const out = new Uint8Array(bytes);
    if (decodeBlock(page.subarray(at + 8, blockEnd), out, 0) !== bytes)
      return null;
    blocks.push(out);
    decoded += bytes;
    at = blockEnd;
  }
  return Buffer.concat(blocks);
}

// A Snappy block (github.com/google/snappy, format_description.txt): the decoded length as a varint, then elements.
//
//   tag, lowest two bits 0: literal; length - 1 in the other six, or, from 60 on, in the next 1 to 4 bytes
//   1: copy; length - 4 in three bits, offset back in the other three and the next byte
//   2, 3: copy; length - 1 in six bits, offset back in the next 2 or 4 bytes

/** Decodes the first `needed` bytes of a block; fewer if it has fewer or is damaged. */
function decodeSnappyStart(block: Uint8Array, needed: number): Uint8Array {
  const out = new Uint8Array(needed);
  let at = 0;
  let end = 0;
  /** Takes a number; NaN after the end of the block. */
  const uint = (bytes: number): number => {
    let value = 0;
    for (let k = 0; k < bytes; k++) value += (block[at++] ?? NaN) * 256 ** k;
    return value;
  };
  while (uint(1) >= 128);
  while (at < block.length && end < needed) {
    const tag = uint(1);
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >>> 2;
      const length = 1 + (short < 60 ? short : uint(short - 59));
      const taken = block.subarray(at, at + Math.min(length, needed - end));
      out.set(taken, end);
      at += length;
      end += taken.length;
      continue;
    }
    const length = kind === 1 ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2);
    const back =
      kind === 1 ? ((tag >>> 5) << 8) + uint(1) : uint(kind === 2 ? 2 : 4);
    if (!(back > 0 && back <= end)) break;
    // A copy may overlap the bytes that it writes.
    for (let k = Math.min(length, needed - end); k > 0; k--, end++)
      out[end] = out[end - back] as number;
  }
  return out.subarray(0, end);
}
